#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A disk that takes a part of a block device: its size, and that it can be paused. One whose
# image grows under a mounted file system, which grows with it.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl mkfs.ext4 resize2fs e2fsck

size() { blockdev --getsize64 "$DISK"; }

create -a ram:8M
below=$DISK q=(-p "$PID" -m "$MINOR")
create -a "aio:$below"
p=(-p "$PID" -m "$MINOR")

refused "beyond the device" 95 "$below" tap-ctl resize "${p[@]}" -s 16M
same "smaller than the device" 4194304 "$(tap-ctl resize "${p[@]}" -s 4M --shrink)"
same "larger, and smaller than the device still" 6291456 "$(tap-ctl resize "${p[@]}" -s 6M)"
check "pause" tap-ctl pause "${p[@]}"
check "unpause" tap-ctl unpause "${p[@]}"
same "the disk keeps its size" 6291456 "$(size)"
check "it reads" dd if="$DISK" of=/dev/null bs=1M iflag=direct
same "all of the device" 8388608 "$(tap-ctl resize "${p[@]}")"
same "the disk has it" 8388608 "$(size)"
check "destroy" tap-ctl destroy "${p[@]}"
check "destroy the one below" tap-ctl destroy "${q[@]}"

# room: of the mounted file system, in MiB.
room() { df --output=size -B1M "$WORK/mnt" | tail -n 1 | tr -d ' '; }
takes() { dd if=/dev/urandom of="$WORK/mnt/$1" bs=1M count="$2" conv=fsync; }

image fs.img 16M
create -a "aio:$IMAGE"
must mkfs.ext4 -q "$DISK"
mkdir "$WORK/mnt"
must mount "$DISK" "$WORK/mnt"
must takes before 8
sum=$(sha256sum "$WORK/mnt/before")
before=$(room)
check_not "16 MiB do not take 20 more" takes during 20
must rm "$WORK/mnt/during"
must truncate -s 48M "$IMAGE"
same "the disk is as large as its image" 50331648 "$(tap-ctl resize -p "$PID" -m "$MINOR")"
check "so is the mounted file system" resize2fs "$DISK"
check "it has room: $before MiB before, $(room) now" test "$(room)" -ge $((before + 30))
check "which takes 20 more" takes during 20
after=$(sha256sum "$WORK/mnt/during")
must umount "$WORK/mnt"
check "it is intact" e2fsck -fn "$DISK"
must mount "$DISK" "$WORK/mnt"
same "with what was written before and after" "$sum $after" \
	"$(sha256sum "$WORK/mnt/before") $(sha256sum "$WORK/mnt/during")"
must umount "$WORK/mnt"
check "destroy it" destroy

finish
