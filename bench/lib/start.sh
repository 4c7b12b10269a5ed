# SPDX-License-Identifier: GPL-2.0-only
# Bringing up the devices. A function start_* sets these, or calls missing():
#   device    the block device, or a plain file outside of /dev
#   pid       the process that serves it, if there is one
#   remark    what a reader of its figures should know
# shellcheck shell=bash

brds=0 ublks=0 nbds=0

# start NAME FUNCTION ARGS...: returns 1 and sets reason if this kernel cannot.
start() {
	local name=$1
	shift
	device='' pid='' remark='' reason=''
	: >"$work/said"
	if ! "$@"; then
		reason=${reason:-$(said)}
		reason=${reason:-$* failed}
	elif ! has_size "$device"; then
		reason="$device has not $size bytes"
	elif ! attempt dd if="$device" of=/dev/null bs=1M count=16 iflag=direct status=none; then
		reason="$device cannot be read: $(said)"
	fi
	[ -z "$reason" ]
}

# missing WORDS: why there is no such device here.
missing() {
	reason=${*%: }
	return 1
}

# module NAME ARGS...
module() {
	attempt modprobe "$@" || missing "this kernel has no module $1"
}

# attempt COMMAND...: its complaints can be had from said().
attempt() {
	timeout 60 "$@" 2>"$work/said"
}

# said: the last thing that a command had to say, in one line.
said() {
	grep -v '^$' "$work/said" | tail -n 1 | tr '\t' ' '
}

# wait_for PID COMMAND...: as long as that process lives, but not for ever.
wait_for() {
	local pid=$1 end=$((SECONDS + 30))
	shift
	until "$@" 2>/dev/null; do
		[ "$SECONDS" -lt "$end" ] && kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.1
	done
}

stop() {
	kill -KILL "$@" 2>/dev/null
	wait "$@" 2>/dev/null
}

# has_size DEVICE: fio makes a plain file where there is no device any more, and
# an nbd without a server is a device without blocks.
has_size() {
	local bytes=0
	if [ -b "$1" ]; then
		bytes=$(blockdev --getsize64 "$1" 2>/dev/null)
	elif [[ $1 != /dev/* ]]; then
		bytes=$(stat -c %s "$1" 2>/dev/null)
	fi
	[ "${bytes:-0}" -ge "$size" ]
}

# fill PATH OPTION...: random bytes from end to end, of which the first
# mebibytes are repeated: making them takes longer than writing them.
fill() {
	local path=$1 chunk=16 at
	shift
	[ -s "$work/bytes" ] || head -c "${chunk}M" /dev/urandom >"$work/bytes"
	for ((at = 0; at < size >> 20; at += chunk)); do
		attempt dd if="$work/bytes" of="$path" bs=1M seek="$at" conv=notrunc status=none "$@" || return
	done
}
