#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An answer and a redirect in one ENTER, and a file system that is frozen.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_frozen mkfs.ext4

modprobe -q loop
mkdir "$WORK/mnt"
image fs.img 16M
must mkfs.ext4 -q "$IMAGE"
must mount -o loop "$IMAGE" "$WORK/mnt"
must dd if=/dev/zero of="$WORK/mnt/disk.img" bs=1M count=1 conv=fsync
adopt ring_frozen "$WORK/mnt/disk.img"
check "umount" umount "$WORK/mnt"

finish
