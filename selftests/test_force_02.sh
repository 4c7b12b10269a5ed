#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# By force, whatever is going on with the disk: in time, its users are free, and the tap can
# be freed. Each moment has two of the commands; BLKTAP_TEST_LONG=1 in the environment: all.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client fuse_hang jq
modprobe -q fuse
[ -c /dev/fuse ] || skip_all "needs /dev/fuse"
log_expect_errors
log_expect 'no daemon for|I/O error|[Cc]apacity change|lost (sync|async) page write|shut down'

BACKING=$WORK/backing
truncate -s 8M "$BACKING"

recovery_is() { [ "$(tap_value "$MINOR" recovery)" = "$1" ]; }
no_session() { [ -z "$(tap_value "$MINOR" pid)" ]; }
no_disk() { [ ! -b "$DISK" ]; }
no_tap() { ! nl_tool get "$MINOR"; }
# is_busy: with an operation, so that it refuses others.
is_busy() {
	local status=0
	tap-ctl unpause -p "$PID" -m "$MINOR" || status=$?
	[ $status = 16 ]
}

# used_by COMMAND...: somebody who is to have an end, too. asked_by COMMAND...: somebody who waits
# for the tapdisk, which cannot end before its server answers.
used_by() {
	background "$@"
	USERS+=("$JOB")
}
asked_by() {
	background "$@"
	CLIENTS+=("$JOB")
}
all_end() {
	local pid
	for pid in "${@:2}"; do
		check "$1 has an end" reap "$pid" 10
	done
}
reader() { used_by dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct; }
writer() { used_by dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct; }
# on_a_file [OPTION...]: a disk whose tapdisk has its image in a file system like any other.
on_a_file() {
	truncate -s 0 "$WORK/disk.img"
	truncate -s 8M "$WORK/disk.img"
	create -a "aio:$WORK/disk.img" "$@"
}
# on_a_server OPERATION [OPTION...]: one in a file system that will not answer that.
on_a_server() {
	hanging -o "$1" "$BACKING"
	create -a "aio:$WORK/fuse/image" "${@:2}"
}
killed() {
	must kill -KILL "$PID"
	must wait_for 10 no_session
}

# The moments: each has the disk DISK of MINOR there; PID is its tapdisk, or was.
is_paused() {
	on_a_file
	must tap-ctl pause -p "$PID" -m "$MINOR"
	reader
	must wait_for 10 blocked "$JOB"
}
is_being_paused() {
	hangs off
	asked_by tap-ctl pause -p "$PID" -m "$MINOR"
	must wait_for 10 is_busy
}
is_being_resized() {
	on_a_server getattr
	exec 8<"$DISK"
	hang
	asked_by tap-ctl resize -p "$PID" -m "$MINOR"
	must wait_for 10 held getattr 1
}
is_being_opened() {
	hanging -o open "$BACKING"
	DISK=$(tap-ctl allocate) || die "allocate"
	MINOR=${DISK##*tapdev}
	PID=$(tap-ctl spawn) || die "spawn"
	must tap-ctl attach -p "$PID" -m "$MINOR"
	hang
	asked_by tap-ctl open -p "$PID" -m "$MINOR" -a "aio:$WORK/fuse/image"
	must wait_for 10 held open 1
}
is_being_recovered() {
	on_a_server open
	killed
	reader
	hang
	asked_by tap-ctl recover -m "$MINOR"
	must wait_for 10 held open 1
	PID=$(tap_value "$MINOR" pid)
}
# The new one gives up when the old one, that is killed and cannot end, has had its time.
is_being_taken_over() {
	hangs off
	asked_by tap-ctl takeover -p "$PID" -t $((8 * SLOWNESS))
	must wait_for 10 is_busy
}
is_held() {
	on_a_file
	killed
	must recovery_is 1
	reader
	must wait_for 10 blocked "$JOB"
}
has_failed() {
	on_a_file --hold-time 0.5
	exec 8<"$DISK"
	killed
	must wait_for 10 recovery_is 2
}
# hangs MODE: its image, with a write under way.
hangs() {
	on_a_server write --kernel-io="$1"
	same "$1: in use" "$1" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
	hang
	writer
	must wait_for 10 held write 1
}

# by_force COMMAND: its STATUS, and TOOK seconds.
by_force() {
	local start=$SECONDS options=(-p "$PID")
	[ "$1" != free ] || options=()
	within 60 "$(type -P tap-ctl)" "$1" -f "${options[@]}" -m "$MINOR" >"$WORK/told" 2>&1
	STATUS=$?
	TOOK=$((SECONDS - start))
	note "$1 -f: status $STATUS after $TOOK s: $(cat "$WORK/told")"
}

# freed: the tap, from a tapdisk that has lived on, too.
freed() {
	no_tap && return
	no_session || grep -q 'was killed' "$WORK/told" || tap-ctl detach -p "$PID" -m "$MINOR"
	tap-ctl free -m "$MINOR"
}

let_all_go() {
	[ -z "${HANG-}" ] || let_go
	HANG=''
}

# force COMMAND STATUS MOMENT...: what it does to a disk that is there.
force() {
	local text="$1 -f: ${*:3}"
	text=${text//_/ }
	USERS=() CLIENTS=()
	"${@:3}"
	by_force "$1"
	same "$text: status" "$2" $STATUS
	check "$text: in $TOOK s" test "$TOOK" -lt $((10 * SLOWNESS))
	if [ "$2" != 0 ]; then
		check "$text: says what is in the way" grep -q "tapdev$MINOR goes as soon as .* answers" "$WORK/told"
		answer
	fi
	check "$text: the disk is gone" wait_for 5 no_disk
	all_end "$text: who waits for it" "${USERS[@]}"
	exec 8<&-
	check "$text: the tap can be freed" wait_for 20 freed
	let_all_go
	all_end "$text: who has asked for something" "${CLIENTS[@]}"
	check "$text: no tapdisk is left" wait_for 10 no_tapdisk
	# What one that was killed listened on goes with the next look.
	must tap-ctl list
	same "$text: no record is left" "" "$(records)"
}

COMMANDS=(close destroy free)
turn=0
# moment STATUS MOMENT...: with the commands whose turn it is.
moment() {
	local i
	for i in 0 1 2; do
		if [ $i != $((turn % 3)) ] || [ -n "${BLKTAP_TEST_LONG-}" ]; then
			force "${COMMANDS[i]}" "$@"
		fi
	done
	turn=$((turn + 1))
}
moment 0 is_paused
moment 0 is_being_paused
moment 0 is_being_resized
moment 0 is_being_opened
moment 0 is_being_recovered
moment 0 is_being_taken_over
moment 0 is_held
moment 0 has_failed
moment 0 hangs off
moment 110 hangs redirect
moment 110 hangs auto

finish
