#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Behind a write that waits for a frozen file system, requests for the same extent wait,
# too. No I/O has begun for them: when the daemon dies or the disk is forced off, they do
# not go on waiting for that file system.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_server mkfs.ext4 fsfreeze
log_expect_errors
log_expect 'no daemon for [0-9]* ms: requests fail'

modprobe -q loop
mkdir "$WORK/mnt"
image fs.img 48M
must mkfs.ext4 -q "$IMAGE"
must mount -o loop "$IMAGE" "$WORK/mnt"
must dd if=/dev/zero of="$WORK/mnt/disk.img" bs=1M count=8 conv=fsync

# begin "TAP OPTIONS" OPTIONS...: a write that has begun, in WRITER, and 8 reads behind it.
begin() {
	local i
	serve "queues=1 $1" --size 8M --no-scan --backing "$WORK/mnt/disk.img" --by extent "${@:2}"
	must fsfreeze -f "$WORK/mnt"
	background dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
	WRITER=$JOB
	wait_for 10 waiting 1 || die "the write does not wait"
	# The worker takes it up.
	sleep $((SLOWNESS / 2 + 1))
	READERS=()
	for i in {1..8}; do
		background dd if="$DISK" of=/dev/null bs=4k count=1 skip="$i" iflag=direct
		READERS+=("$JOB")
	done
	check "$WHAT: reads wait behind a write" wait_for 10 waiting 9
	sleep 0.3
	check "$WHAT: they still do" waiting 9
}

reads_fail() {
	local pid
	for pid in "${READERS[@]}"; do
		fails "$WHAT: a read fails" "$pid" 10
	done
	check "$WHAT: the write goes on waiting" blocked "$WRITER"
}

write_ends() {
	must fsfreeze -u "$WORK/mnt"
	ends "$WHAT, thawed: the write ends well" 0 "$WRITER"
}

WHAT="the daemon dies"
begin "hold_ms=2000"
kill -KILL "$SERVER"
reap "$SERVER"
reads_fail
write_ends
check "$WHAT: the tap can be freed" wait_for 10 nl_tool del "$MINOR"

WHAT="the next daemon comes"
begin "hold_ms=60000"
kill -KILL "$SERVER"
reap "$SERVER"
check "$WHAT: reads wait for it" held_up
write_ends
serve_again --size 8M --no-scan --backing "$WORK/mnt/disk.img" --by extent
for pid in "${READERS[@]}"; do
	ends "$WHAT: a read ends well" 0 "$pid"
done
same "$WHAT: none of them had failed" 0 "$(tap_value "$MINOR" ios_retry)"
unserve

WHAT="the session is forced off"
begin ""
must nl_tool end "$MINOR" force
reap "$SERVER"
reads_fail
same "$WHAT: the disk is being removed" 3 "$(tap_value "$MINOR" state)"
write_ends
check "$WHAT: the tap can be freed" wait_for 10 nl_tool del "$MINOR"

WHAT="the daemon stops by force"
begin "" --force
kill -TERM "$SERVER"
reads_fail
write_ends
unserve

must umount "$WORK/mnt"
finish
