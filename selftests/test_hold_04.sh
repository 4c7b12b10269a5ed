#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk is stopped with a write on its slow way to the storage. What its successor
# writes there, which has a faster way, is not overwritten.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq dmsetup losetup

# Seconds, more than it takes to find out that it does not answer; after 30 the kernel complains.
DELAY=$((SLOWNESS > 1 ? 24 : 8))
modprobe -q loop
modprobe -q dm-delay || skip_all "needs dm-delay"

block() { dd if=<(head -c 4096 /dev/zero | tr '\0' "$1") of="$DISK" bs=4k count=1 oflag=direct iflag=fullblock status=none; }
there() { head -c 1 "$IMAGE"; }
is_another() { PID=$(tap_value "$MINOR" pid) && [ -n "$PID" ] && [ "$PID" != "$old" ]; }
is_held() { [ "$(tap_value "$MINOR" recovery)" = 1 ]; }
has_request() { tap-ctl stats -p "$PID" -m "$MINOR" | jq -e '.reqs_outstanding >= 1'; }
# The page cache of the loop device is out of the way: the file has what was written.
slow_way() {
	LOOP=$(losetup --find --show --direct-io=on "$IMAGE") || return
	dmsetup create blktap-slow --noudevsync --table "0 16384 delay $LOOP 0 0 $LOOP 0 $((DELAY * 1000))" || return
	SLOW=/dev/$(dmsetup info -c --noheadings -o blkdevname blktap-slow)
	[ -b "$SLOW" ]
}

image disk.img 8M
must dd if=/dev/zero of="$IMAGE" bs=1M count=8 conv=notrunc,fsync
for mode in off redirect auto; do
	must slow_way
	create -a "aio:$SLOW" --kernel-io=$mode
	old=$PID
	must dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct
	check "$mode: who moves the bytes" moves $mode 0
	begin=$SECONDS
	background block A
	writer=$JOB
	check "$mode: a write is under way" wait_for 10 waiting 1
	[ $mode != off ] || must wait_for 5 has_request
	sleep 0.3
	must kill -STOP "$old"
	background tap-ctl recover -m "$MINOR" -a "aio:$IMAGE" -t $((60 * SLOWNESS))
	recover=$JOB
	check "$mode: another tapdisk has the image itself" wait_for 10 is_another
	[ $((SECONDS - begin)) -lt $DELAY ] || die "$mode: that took longer than the write"
	check "$mode: nothing reaches it while the write may" is_held
	ends "$mode: then it serves" 0 "$recover" $((DELAY + 30))
	check "$mode: not before the write's time" test $((SECONDS - begin)) -ge $((DELAY - 1))
	check "$mode: the stopped one is gone" wait_for 10 job_gone "$old"
	ends "$mode: A is written" 0 "$writer"
	check "$mode: and B" block B
	sleep $((DELAY + 1))
	same "$mode: B is what is there" B "$(there)"
	check "$mode: who has moved the bytes" moves $mode 0
	check "$mode: destroy" destroy
	must dmsetup remove --noudevsync blktap-slow
	must losetup -d "$LOOP"
done

finish
