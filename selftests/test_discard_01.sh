#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Discard frees blocks of the image; write zeroes reads back as zeroes.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl blkdiscard fstrim mkfs.ext4

kib() { echo $(($(stat -c '%b * %B / 1024' "$IMAGE"))); }
is_zero() { cmp -n "$2" -i "$1:0" "$DISK" /dev/zero; }

image disk.img 32M
create -a "aio:$IMAGE"
[ "$(cat '/sys/block/xen!blktap-2!tapdev0/queue/discard_max_bytes')" -gt 0 ] || {
	fail "the image's file system can punch holes: the disk takes discards"
	must destroy
	finish
}
must dd if=/dev/urandom of="$DISK" bs=1M count=32 oflag=direct
full=$(kib)
check "the full image takes its size ($full KiB)" test "$full" -ge $((32 << 10))
check "blkdiscard of the second half" blkdiscard -o $((16 << 20)) -l $((16 << 20)) "$DISK"
half=$(kib)
check "it takes half of it ($half KiB)" test "$half" -le $((17 << 10))
check "the discarded half reads as zeroes" is_zero $((16 << 20)) $((16 << 20))
check_not "the other half does not" is_zero 0 4096
check "blkdiscard -z of 4 MiB" blkdiscard -z -o $((4 << 20)) -l $((4 << 20)) "$DISK"
check "they read as zeroes" is_zero $((4 << 20)) $((4 << 20))
check_not "what is before does not" is_zero $(((4 << 20) - 4096)) 4096
check_not "what is after does not" is_zero $((8 << 20)) 4096
check "blkdiscard of all" blkdiscard "$DISK"
check "nothing is left ($(kib) KiB)" test "$(kib)" -le 64

check "mkfs.ext4" mkfs.ext4 -q "$DISK"
mkdir -p "$WORK/mnt"
must mount "$DISK" "$WORK/mnt"
must dd if=/dev/urandom of="$WORK/mnt/file" bs=1M count=16 conv=fsync
used=$(kib)
must rm "$WORK/mnt/file"
must sync -f "$WORK/mnt"
check "fstrim" fstrim "$WORK/mnt"
trimmed=$(kib)
check "frees the removed file's blocks ($used to $trimmed KiB)" \
	test "$trimmed" -le $((used - (14 << 10)))
check "umount" umount "$WORK/mnt"
check "destroy" destroy

finish
