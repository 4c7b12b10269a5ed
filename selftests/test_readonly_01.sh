#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A read-only disk reads and refuses every kind of change.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl blkdiscard mkfs.ext4
log_expect "Can.t open blockdev"

image disk.img 16M
must mkfs.ext4 -q "$IMAGE"
sum=$(sha256sum <"$IMAGE")
create -R -a "aio:$IMAGE"
same "the disk says so" 1 "$(blockdev --getro "$DISK")"
check "it reads" cmp "$IMAGE" "$DISK"
check_not "it cannot be written to" dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
check_not "nor discarded" blkdiscard "$DISK"
check_not "nor zeroed" blkdiscard -z "$DISK"
mkdir -p "$WORK/mnt"
check_not "nor mounted for writing" mount -w "$DISK" "$WORK/mnt"
check "it can be mounted read-only" mount -o ro "$DISK" "$WORK/mnt"
check "and unmounted" umount "$WORK/mnt"
blockdev --setrw "$DISK" 2>/dev/null
check_not "not even after blockdev --setrw" \
	dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct conv=fsync
check "destroy" destroy
same "the image is unchanged" "$sum" "$(sha256sum <"$IMAGE")"

chmod 400 "$IMAGE"
check "an image without write permission can be opened with -R" tap-ctl create -R -a "aio:$IMAGE"
PID=$(pid_of 0) MINOR=0
check "destroy" destroy

serve "queues=1" --size 1M --ro
same "a server's disk can be read-only" 1 "$(blockdev --getro "$DISK")"
check_not "and is not written to" dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
unserve
same "nothing of that came down" 0 "$(counted write)"

finish
