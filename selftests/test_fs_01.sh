#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# ext4 on a partition: its node appears beside the disk's, files survive.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl sfdisk mkfs.ext4 fsck.ext4

tree() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

image disk.img 48M
create -a "aio:$IMAGE"
printf 'label: gpt\nstart=1MiB, size=16MiB\nstart=17MiB\n' >"$WORK/table"
check "a partition table is written" sh -c "sfdisk -q '$DISK' <'$WORK/table'"
check "the partitions' nodes appear" wait_for 10 test -b "${DISK}p2"
part=${DISK}p2
check "ext4 is made" mkfs.ext4 -q "$part"
mkdir -p "$WORK/mnt"
check "and mounted" mount "$part" "$WORK/mnt"
check "a tree of files is copied" cp -a /etc "$WORK/mnt/tree"
must dd if=/dev/urandom of="$WORK/mnt/large" bs=1M count=12 status=none
tree "$WORK/mnt" >"$WORK/sums"
refused "destroy while it is mounted" 16 'open|mounted|busy' tap-ctl destroy -p "$PID" -m "$MINOR"
check "and it works on" touch "$WORK/mnt/another"
rm -f "$WORK/mnt/another"
check "umount" umount "$WORK/mnt"
check "destroy" destroy
check_not "the partition's node is gone" test -e "$part"

create -a "aio:$IMAGE"
check "the partition is found again" test -b "$part"
check "the file system is sound" fsck.ext4 -fn "$part"
check "mount" mount "$part" "$WORK/mnt"
same "every checksum is right" "$(cat "$WORK/sums")" "$(tree "$WORK/mnt")"
check "umount" umount "$WORK/mnt"
check "destroy" destroy

finish
