#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk dies at given moments: before it has an image, while that is opened, in the
# partition scan; and one that is to recover a disk, before it serves it.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client fuse_hang jq
modprobe -q fuse
[ -c /dev/fuse ] || skip_all "needs /dev/fuse"
slow_disk 1000 || skip_all "needs brd and dm-delay"

told() { tap-ctl info --json -m "$MINOR" | jq -r ".$1"; }
is_held() { [ "$(told recovery)" = held ]; }
no_session() { [ -z "$(tap_value "$MINOR" pid)" ]; }
another() { PID=$(tap_value "$MINOR" pid) && [ -n "$PID" ] && [ "$PID" != "$old" ]; }
# Only that one is asked: the one before it can die no sooner than its write ends.
has_image() { another && rpc list | jq -e --arg path "$1" '.result.vbds[] | select(.image.path? == $path)'; }
killed() { must kill -KILL "$PID"; }
# Not the job itself: it waits for the reader or writer.
reader() { background dd if="$DISK" of="$WORK/read" bs=4k count=1 iflag=direct; }
is_right() { cmp -n 4096 "$WORK/backing" "$WORK/read"; }
# attached: a tap, and a tapdisk that has it
attached() {
	DISK=$(tap-ctl allocate) || die "allocate"
	MINOR=${DISK##*tapdev}
	attached_again
}
attached_again() {
	PID=$(tap-ctl spawn) || die "spawn"
	must tap-ctl attach -p "$PID" -m "$MINOR"
}
opens() { tap-ctl open -p "$PID" -m "$MINOR" -a "aio:$1" --kernel-io="$mode"; }

must dd if=/dev/urandom of="$WORK/backing" bs=1M count=8

mode=off
hanging -o lookup,getattr,open "$WORK/backing"
attached
killed
check "killed after attach: the tap is free" wait_for 10 no_session
attached_again
hang
background opens "$WORK/fuse/image"
wait_for 10 grep -q '^held' "$WORK/job.$HANG" || die "nobody opens the image"
killed
answer
fails "killed while it opens an image: who waits is told" "$JOB" 20
check "the tap is free" wait_for 10 no_session
check "there is no disk" test ! -e "$DISK"
attached_again
check "the next tapdisk opens it" opens "$WORK/fuse/image"
reader
ends "and serves it" 0 "$JOB"
check "with the right data" is_right
check "destroy" destroy
let_go

# In the scan, each of whose reads takes its time.
scanned() { [ "$(tap_value "$MINOR" state)" = 1 ]; }
must dd if="$WORK/backing" of="$RAM" bs=1M oflag=direct
for mode in off redirect auto; do
	attached
	background opens "$SLOW"
	wait_for 20 scanned || die "$mode: there is no partition scan"
	killed
	check "$mode: killed in the partition scan: it is not over" scanned
	fails "$mode: who opens the disk is told" "$JOB" 20
	check "$mode: the tap is free" wait_for 10 no_session
	attached_again
	# The kernel's own I/O to the slow disk keeps the lock on it, too.
	check "$mode: the next tapdisk goes on with it" wait_for 20 opens "$SLOW"
	reader
	ends "$mode: the disk is served" 0 "$JOB"
	check "$mode: with the right data" is_right
	check "$mode: destroy" destroy
done
check "the slow disk is free" wait_for 10 slow_disk_gone

# One that is to recover a disk: killed between attach and open, and while it opens the image.
# That it is the same one is seen before, by recover itself.
mode=auto
hanging -o open "$WORK/backing"
create -a "aio:$WORK/fuse/image" --hold-time 120
killed
wait_for 10 is_held || die "the disk is not held"
reader
reading=$JOB
attached_again
killed
wait_for 10 no_session
check "killed after attach: the disk is held" is_held
hang
background "$(type -P tap-ctl)" recover -m "$MINOR"
wait_for 10 grep -q '^held' "$WORK/job.$HANG" || die "nobody opens the image"
old=''
wait_for 10 another || die "nobody is to recover the disk"
killed
answer
fails "killed while it opens the image: recover says so" "$JOB" 20
check "the disk is held" is_held
check "recover" tap-ctl recover -m "$MINOR"
ends "who waited has no error" 0 "$reading"
check "and the right data" is_right
PID=$(pid_of "$MINOR")
check "destroy" destroy
let_go

# And with the disk in its hands, while a write of the one before it is under way: the image
# by another name, since by its own it cannot be opened before that has ended.
for mode in off redirect auto; do
	truncate -s 0 "$WORK/backing"
	truncate -s 8M "$WORK/backing"
	hanging -o write "$WORK/backing"
	create -a "aio:$WORK/fuse/image" --kernel-io=$mode --hold-time 120
	hang
	background dd if="$WORK/read" of="$DISK" bs=4k count=1 oflag=direct
	writing=$JOB old=$PID
	wait_for 10 held write 1 || die "$mode: no write is under way"
	killed
	background "$(type -P tap-ctl)" recover -m "$MINOR" -a "aio:$WORK/fuse/image0"
	wait_for 10 has_image "$WORK/fuse/image0" || die "$mode: nobody has the disk"
	check "$mode: the disk waits for the last one's write" is_held
	killed
	fails "$mode: killed then: recover says so, and soon" "$JOB" 5
	check "$mode: the disk is held" is_held
	old=$PID
	background "$(type -P tap-ctl)" recover -m "$MINOR" -a "aio:$WORK/fuse/image1"
	wait_for 10 has_image "$WORK/fuse/image1" || die "$mode: nobody has the disk"
	answer
	ends "$mode: recover" 0 "$JOB"
	ends "$mode: the write has no error" 0 "$writing"
	check "$mode: and is there" is_right
	PID=$(pid_of "$MINOR")
	check "$mode: destroy" destroy
	let_go
done
# What tapdisks that were killed listened on goes with the next look.
must tap-ctl list

finish
