#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tapdisks replace each other under checked writes and a mounted file system.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq fio mkfs.ext4 e2fsck

# second NAME: one more disk at the tapdisk PID, in DISK and MINOR.
second() {
	DISK=$(tap-ctl allocate) || die "allocate"
	MINOR=${DISK##*tapdev}
	must tap-ctl attach -p "$PID" -m "$MINOR"
	must tap-ctl open -p "$PID" -m "$MINOR" -a "aio:$1" --kernel-io="$mode"
}
verify() {
	background fio --name=verify "$@" --rw=randrw --bs=4k-64k --direct=1 --ioengine=libaio --iodepth=16 \
		--time_based --runtime=3600 --verify=crc32c --verify_backlog=64 --verify_fatal=1 --verify_state_save=0
}
serves() {
	[ "$(tap-ctl list -p "$PID" | wc -l)" = 2 ] &&
		[ "$(tap_value 0 pid) $(tap_value 1 pid)" = "$PID $PID" ]
}

mkdir "$WORK/mnt"
for mode in off redirect auto; do
	image raw.img 64M
	create -a "aio:$IMAGE" --kernel-io=$mode
	raw=$DISK
	image fs.img 96M
	second "$IMAGE"
	must mkfs.ext4 -q "$DISK"
	must mount "$DISK" "$WORK/mnt"
	must dd if=/dev/urandom of="$WORK/mnt/before" bs=1M count=8
	before=$(sha256sum "$WORK/mnt/before")
	verify --filename="$raw" --size=48M
	direct=$JOB
	verify --directory="$WORK/mnt" --size=24M
	files=$JOB
	wait_for 20 test -s "$WORK/mnt/verify.0.0" || die "$mode: no file is written"
	for i in 1 2 3 4 5; do
		check "$mode, takeover $i" take_over -t 60
		check "the new one has both" serves
		must dd if=/dev/urandom of="$WORK/mnt/during.$i" bs=64k count=8 oflag=direct
	done
	load_over "$mode: what was written to the disk is right" "$direct"
	load_over "$mode: what was written to files is right" "$files"
	echo 1 >/proc/sys/vm/drop_caches
	same "$mode: a file of before is right" "$before" "$(sha256sum "$WORK/mnt/before")"
	check "$mode: who moved the bytes" moves $mode
	must umount "$WORK/mnt"
	check "$mode: the file system is intact" e2fsck -fn "$DISK"
	sum=$(sha256sum <"$DISK")
	must tap-ctl close -p "$PID" -m 1
	must tap-ctl detach -p "$PID" -m 1
	must tap-ctl free -m 1
	same "$mode: the image holds it all" "$sum" "$(sha256sum <"$IMAGE")"
	MINOR=0
	check "$mode: and those of the other disk" moves $mode
	check "$mode: destroy" destroy
done

finish
