#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Blocks that come and go while the kernel serves them.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio jq mkfs.ext4 e2fsck blkdiscard fstrim

zeroes() {
	cmp -n "$2" -i "$1:0" "$DISK" /dev/zero
}

image store.img 64M
# What was in the store before.
must dd if=/dev/urandom of="$IMAGE" bs=1M count=64
create -a "scatter:$IMAGE,block=256K,seed=5"
check "all is zeroes at first" zeroes 0 $((64 << 20))
check "nothing is mapped" counts 'extents == 0'
check "one block is written" dd if=/dev/urandom of="$DISK" bs=4k seek=65 count=1 oflag=direct
check "it is mapped" counts 'extents == 1'
check "around it are zeroes" zeroes $((256 << 10)) 4096
check "a second block" dd if=/dev/urandom of="$DISK" bs=4k seek=129 count=1 oflag=direct
check "discard" blkdiscard -o $((256 << 10)) -l $((256 << 10)) "$DISK"
check "its block is zeroes" zeroes $((256 << 10)) $((256 << 10))
check "the other is mapped still" counts 'extents == 1'
check "written again" dd if=/dev/urandom of="$DISK" bs=4k seek=66 count=1 oflag=direct
check "what was there is not seen" zeroes $((256 << 10)) 8192

must mkfs.ext4 -q "$DISK"
mkdir "$WORK/mnt"
must mount "$DISK" "$WORK/mnt"
background fio --name=verify --directory="$WORK/mnt" --rw=randwrite --bs=4k --size=8M --direct=1 --ioengine=libaio \
	--iodepth=16 --loops=4 --verify=crc32c --verify_fatal=1 --verify_state_save=0
load=$JOB
for i in {1..6}; do
	must dd if=/dev/urandom of="$WORK/mnt/f$i" bs=1M count=4
	sync -f "$WORK/mnt"
	must rm "$WORK/mnt/f$i"
	must fstrim "$WORK/mnt"
done
pass "files come and go beside it"
ends "the data are right" 0 "$load" 300
must umount "$WORK/mnt"
check "the file system is intact" e2fsck -fn "$DISK"
check "by extents" counts 'ios_extent > 1000 and .ios_retry == 0 and .rejected == 0'
check "destroy" destroy

finish
