#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk that is stopped under a mounted file system: with --restart and a time limit that
# kills it, it is replaced without anybody's doing, and nobody gets an error.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/deaths.sh"
setup tap-ctl mkfs.ext4 e2fsck fio jq
log_expect 'has not answered a request'

# A tapdisk on a slow kernel is no more than slow.
TIMEOUT=$((SLOWNESS > 1 ? 5 : 2))
# It may take twice that until a late request is noticed; the rest is for recovering.
LIMIT=15
MNT=$WORK/mnt
mkdir "$MNT"

happened() { jq -es --arg event "$1" 'any(.event == $event)' "$WORK/job.$MONITOR"; }
nobody_waits() { cat /proc/[0-9]*/stat 2>/dev/null | awk '{ sub(/.*\) /, "") } $1 == "D" { n++ } END { exit n > 0 }'; }
durable_write() { background dd if=/dev/zero of="$MNT/durable" bs=4k count=1 oflag=direct conv=fsync; }

# is_replaced: the stopped tapdisk PID, by another one, before long.
is_replaced() {
	local old=$PID start=$SECONDS
	must kill -STOP "$old"
	durable_write
	check "$mode: who writes waits for the stopped tapdisk" wait_for 5 blocked "$JOB"
	ends "$mode: but not for long" 0 "$JOB" $LIMIT
	note "it took $((SECONDS - start)) s"
	check "$mode: the stopped one is dead" wait_for 5 job_gone "$old"
	PID=$(pid_of "$MINOR")
	check "$mode: another has the disk" test -n "$PID" -a "$PID" != "$old"
}

image disk.img 64M
background "$(type -P tap-ctl)" monitor --json
MONITOR=$JOB
for mode in off redirect auto; do
	create -a "aio:$IMAGE" --kernel-io=$mode --restart --io-timeout=$TIMEOUT --on-timeout=kill
	check "$mode: a supervisor runs" wait_for 5 supervisor_runs
	must mkfs.ext4 -q -F "$DISK"
	must mount "$DISK" "$MNT"
	load --directory="$MNT" --rate=4M "${VERIFY[@]}" --size=8M "${SYNC[@]}"
	durable_write
	ends "$mode: it can be written" 0 "$JOB" 20
	is_replaced
	is_replaced
	check "$mode: who moves the bytes in the end" wait_for 20 moves $mode
	load_ends "$mode: fio verify sees no error"
	check "$mode: nobody waits any more" wait_for 10 nobody_waits
	check "$mode: umount" umount "$MNT"
	check "$mode: the file system is whole" e2fsck -fn "$DISK"
	check "$mode: destroy" destroy
	# The next one shall not wait longer and longer.
	check "$mode: the supervisor ends when it is told to" supervisor_ends
done
kill -INT "$MONITOR"
reap "$MONITOR"
for event in timeout daemon-lost resumed; do
	check "the event $event" happened $event
done
check_not "no hold time was over" happened hold-expired

finish
