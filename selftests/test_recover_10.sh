#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A disk keeps its size when its tapdisk dies, whatever its image has become meanwhile, unless
# that is smaller.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq

size() { blockdev --getsize64 "$DISK"; }
is_held() { [ "$(tap-ctl info --json -m "$MINOR" | jq -r .recovery)" = held ]; }
lost() {
	must kill -KILL "$PID"
	wait_for 10 is_held || die "the disk is not held"
}
# recovers TEXT SIZE ARGUMENT...: after the death of PID
recovers() {
	check "$1: recover" tap-ctl recover -m "$MINOR" "${@:3}"
	PID=$(pid_of "$MINOR")
	[ -n "$PID" ] || die "$1: nobody has it"
	same "$1: the disk keeps its size" "$2" "$(size)"
	check "$1: its end is served" dd if="$DISK" of=/dev/null bs=4k skip=$(($2 / 4096 - 1)) iflag=direct
}

# file TEXT OPTION...: the file below changes while the disk is there.
file() {
	local text=$1
	shift
	image disk.img 4M
	create "$@" --hold-time 120 -a "aio:$IMAGE"
	must truncate -s 5M "$IMAGE"
	lost
	must cp --sparse=always "$IMAGE" "$WORK/other.img"
	refused "${text}another image that is larger" 124 'has 4194304 bytes' \
		tap-ctl recover -m "$MINOR" -a "aio:$WORK/other.img"
	recovers "${text}larger" 4194304
	same "${text}until it is resized" 5242880 "$(tap-ctl resize -p "$PID" -m "$MINOR")"
	same "${text}to what the file has" 5242880 "$(size)"
	must truncate -s 6M "$IMAGE"
	lost
	recovers "${text}larger, and named" 5242880 -a "aio:$IMAGE"
	lost
	must truncate -s 3M "$IMAGE"
	refused "${text}smaller" 124 'has 5242880 bytes' tap-ctl recover -m "$MINOR"
	check "${text}the disk waits" is_held
	must truncate -s 5M "$IMAGE"
	recovers "${text}as long as before" 5242880
	check "${text}destroy" destroy
	must rm "$IMAGE"
}

chmod 755 "$WORK"
file ""
if tap-ctl create --user nobody -a ram:4M 2>&1 | grep -q AddressSanitizer; then
	skip "--user" "a tapdisk with AddressSanitizer is not confined"
else
	MINOR=0 PID=$(pid_of 0)
	must destroy
	file "--user: " --user nobody
	# Their sockets go with the next look at them.
	must tap-ctl list
fi

# Bytes that are no whole block are in nobody's way.
image odd.img 4M
create --hold-time 120 -a "aio:$IMAGE"
p=(-m "$MINOR")
must truncate -s 5242980 "$IMAGE"
same "an odd file: whole blocks are served" 5242880 "$(tap-ctl resize -p "$PID" "${p[@]}")"
check "an odd file: pause" tap-ctl pause -p "$PID" "${p[@]}"
check "an odd file: unpause" tap-ctl unpause -p "$PID" "${p[@]}"
check "an odd file: takeover" take_over
lost
recovers "an odd file" 5242880
check "destroy" destroy
refused "an odd file for a new disk" 22 'not a multiple of the block size' tap-ctl create -a "aio:$IMAGE"

# A block device, of which the disk takes a part.
create -a ram:8M
below=$DISK q=(-p "$PID" -m "$MINOR")
create --hold-time 120 -a "aio:$below"
same "smaller than the device" 4194304 "$(tap-ctl resize -p "$PID" -m "$MINOR" -s 4M --shrink)"
lost
recovers "a part of a device" 4194304
same "all of the device" 8388608 "$(tap-ctl resize -p "$PID" -m "$MINOR")"
check "destroy" destroy
check "destroy the one below" tap-ctl destroy "${q[@]}"

finish
