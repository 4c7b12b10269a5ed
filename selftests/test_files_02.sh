#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Files that a daemon may not give the kernel: those of a file system on its own disk, or on
# that of a tap which needs this one, and what is swapped to.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_server mkfs.ext4 mkswap swapon swapoff
ETXTBSY=26 ELOOP=40

# unwilling TEXT STATUS MINOR FILE: a server that has this for its file is not taken.
unwilling() {
	background ring_server --size 16M --by redirect --backing "$4" "$3"
	ends "$1" "$2" "$JOB"
}
no_session() { [ -z "$(tap_value "$MINOR" pid)" ]; }
unmounted() { umount "$WORK/mnt"; }

# A file system on a tap, of which somebody else's disk is a part. Nobody serves the tap
# while it is tried with files of others; what it needs of the file system is in memory.
serve "queues=1" --size 16M --ram "$WORK/ram"
below=$MINOR lower=$SERVER
must mkfs.ext4 -q "$DISK"
mkdir -p "$WORK/mnt"
must mount -o noatime "$DISK" "$WORK/mnt"
must dd if=/dev/zero of="$WORK/mnt/own" bs=64k count=16 conv=fsync
must dd if=/dev/zero of="$WORK/mnt/image" bs=1M count=4 conv=fsync
serve "queues=1" --size 4M --no-scan --by redirect --backing "$WORK/mnt/image"
above=$MINOR upper=$SERVER
check "a disk in a file of a file system on another tap's" dd if=/etc/passwd of="$DISK" bs=4k count=1 conv=sync oflag=direct

kill -KILL "$lower"
reap "$lower"
MINOR=$below
wait_for 10 no_session
unwilling "a tap in a file of a file system on its own disk: ELOOP" $ELOOP "$below" "$WORK/mnt/own"
unwilling "a tap on one that is in a file of that: ELOOP" $ELOOP "$below" "$NODES/tapdev$above"
serve_again --size 16M --ram "$WORK/ram"
lower=$SERVER

MINOR=$above SERVER=$upper
unserve
check "its file has what was written" cmp -n "$(stat -c %s /etc/passwd)" /etc/passwd "$WORK/mnt/image"
check "umount" wait_for 10 unmounted
MINOR=$below SERVER=$lower
unserve

# What is swapped to.
ram_disk 16M || skip_all "needs brd"
image swap 16M
must dd if=/dev/zero of="$IMAGE" bs=1M count=16 conv=notrunc,fsync
chmod 600 "$IMAGE"
must nl_tool new minor=7 queues=1
for file in "$IMAGE" "$RAM"; do
	must mkswap "$file"
	must swapon "$file"
	unwilling "a swap file, ${file##*/}: ETXTBSY" $ETXTBSY 7 "$file"
	must swapoff "$file"
done
serve_swap() {
	MINOR=7 DISK=$NODES/tapdev7
	serve_again --size 16M --no-scan --by redirect --backing "$IMAGE"
}
serve_swap
check "one that is swapped to no more serves" dd if="$DISK" of=/dev/null bs=64k count=1 iflag=direct
unserve

finish
