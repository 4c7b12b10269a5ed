#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Snapshots of a disk in use: pause, copy, go on with the copy.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client fio jq mkfs.ext4 e2fsck debugfs

image 0.img 64M
create -a "aio:$IMAGE"
must mkfs.ext4 -q "$DISK"
mkdir "$WORK/mnt"
must mount "$DISK" "$WORK/mnt"
background fio --name=verify --directory="$WORK/mnt" --rw=randwrite --bs=4k --size=8M --direct=1 --ioengine=libaio \
	--iodepth=16 --loops=6 --verify=crc32c --verify_fatal=1 --verify_state_save=0
load=$JOB
wait_for 20 test -s "$WORK/mnt/verify.0.0" || die "there is no load"

sums=()
snapshot() {
	sums+=("$(sha256sum "$WORK/$1.img")")
	must cp --sparse=always "$WORK/$1.img" "$WORK/$2.img"
	[ "$(rpc_errno unpause "{\"minor\":0,\"image\":\"aio:$WORK/$2.img\"}")" = 0 ]
}
for i in 0 1 2; do
	echo "$i" >"$WORK/mnt/mark"
	sync -f "$WORK/mnt/mark"
	same "pause $i" 0 "$(rpc_errno pause '{"minor":0,"timeout_ms":30000}')"
	check "copy, and go on with the copy" snapshot $i $((i + 1))
	same "list names it" "pid=$PID minor=0 state=0 args=aio:$WORK/$((i + 1)).img" "$(tap-ctl list)"
done
check "writes go on" dd if=/dev/urandom of="$WORK/mnt/last" bs=64k count=16 oflag=direct
ends "all that the load wrote is right" 0 "$load" 120
must umount "$WORK/mnt"
check "the file system is intact" e2fsck -fn "$DISK"
check "destroy" destroy
check "the last image holds it" e2fsck -fn "$WORK/3.img"

for i in 0 1 2; do
	same "snapshot $i has not changed since" "${sums[i]}" "$(sha256sum "$WORK/$i.img")"
	e2fsck -fy "$WORK/$i.img" >"$WORK/fsck"
	check "after its journal it is intact" e2fsck -fn "$WORK/$i.img"
	same "it has what was there at its time" "$i" "$(debugfs -R 'cat mark' "$WORK/$i.img" 2>/dev/null)"
done

finish
