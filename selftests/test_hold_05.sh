#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Nobody waits longer than the hold time: who writes, syncs, reads, unmounts or opens when
# their tapdisk has died is in D state until then, and after it has an end, in whatever way.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ring_server mkfs.ext4
log_expect_errors
log_expect 'EXT4-fs|JBD2|[Aa]borting journal|Remounting filesystem|I/O error|lost (sync|async) page write|lost filesystem error report|no daemon for [0-9]* ms: requests fail'

HOLD=$((4 * SLOWNESS))
mkdir "$WORK/used" "$WORK/idle"
declare -A WAITERS=()

is_held() { [ "$(tap_value "$MINOR" recovery)" = 1 ]; }
has_failed() { [ "$(tap_value "$MINOR" recovery)" = 2 ]; }
nobody_waits() { cat /proc/[0-9]*/stat 2>/dev/null | awk '{ sub(/.*\) /, "") } $1 == "D" { n++ } END { exit n > 0 }'; }
# waits NAME COMMAND...: as somebody whose PID is in WAITERS.
waits() {
	background "${@:2}"
	WAITERS[$1]=$JOB
}

# held_back TEXT: all WAITERS, and no longer than the hold time.
held_back() {
	local name
	check "$1: all wait: ${!WAITERS[*]}" wait_for "$HOLD" blocked "${WAITERS[@]}"
	check "$1: the hold time is not over" is_held
	check "$1: then it is" wait_for $((HOLD + 5)) has_failed
	for name in "${!WAITERS[@]}"; do
		check "$1: $name has an end" reap "${WAITERS[$name]}" 5
		note "$name: status $REAPED"
	done
	check "$1: nobody is in D state" wait_for 5 nobody_waits
}

# mounted NAME: a file system there, on a disk of its own.
mounted() {
	image "$1.img" 16M
	create -a "aio:$IMAGE" --kernel-io="$mode" --hold-time "$HOLD"
	must mkfs.ext4 -q "$DISK"
	must mount "$DISK" "$WORK/$1"
	must dd if=/dev/zero of="$WORK/$1/before" bs=64k count=4 conv=fsync
}

for mode in off redirect auto; do
	mounted idle
	idle=$MINOR idle_pid=$PID
	mounted used
	must kill -KILL "$idle_pid" "$PID"
	must wait_for 10 is_held
	WAITERS=()
	waits writer dd if=/dev/zero of="$WORK/used/file" bs=64k count=4 conv=fsync
	waits syncer sync -f "$WORK/used/before"
	waits reader dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct
	waits "buffered reader" dd if="$DISK" of=/dev/null bs=4k count=1 skip=2000
	waits "direct writer" dd if=/dev/zero of="$WORK/used/before" bs=4k count=1 oflag=direct conv=notrunc
	waits umount umount "$WORK/idle"
	held_back "$mode"
	check "$mode: the other can be unmounted, too" within 10 umount "$WORK/used"
	check "$mode: and the tap freed" tap-ctl free -m "$MINOR"
	check "$mode: both are" tap-ctl free -m "$idle"
done
# What the dead ones listened on goes with the next look.
must tap-ctl list

# In the partition scan.
MINOR=7 DISK=$NODES/tapdev7
must nl_tool new minor=7 hold_ms=$((HOLD * 1000))
background ring_server --size 4M --die scan 7
ends "scan: its daemon dies" 137 "$JOB"
must wait_for 10 is_held
WAITERS=()
waits opener dd if="$DISK" of=/dev/null bs=4k count=1
held_back scan
check "scan: it can be freed" within 20 nl_tool del 7

finish
