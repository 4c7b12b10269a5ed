#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# FLUSH and FUA, counted by a server.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup mkfs.ext4 fio

nothing_under_way() { ! waiting 1; }

serve "queues=1" --size 8M --no-scan --write-cache --fua
check "4 writes" dd if=/dev/zero of="$DISK" oflag=direct bs=64k count=4
check "4 O_DSYNC writes" dd if=/dev/zero of="$DISK" oflag=direct,dsync bs=64k count=4
unserve
same "with FUA: 8 writes, 4 of them FUA" "8 4" "$(counted write) $(counted fua)"

serve "queues=1" --size 8M --no-scan --write-cache
check "4 O_DSYNC writes" dd if=/dev/zero of="$DISK" oflag=direct,dsync bs=64k count=4
unserve
same "without FUA: 4 writes, none FUA" "4 0" "$(counted write) $(counted fua)"
check "but a FLUSH for each ($(counted flush))" test "$(counted flush)" -ge 4

serve "queues=1" --size 8M --no-scan
check "4 O_DSYNC writes and fsync" \
	dd if=/dev/zero of="$DISK" oflag=direct,dsync bs=64k count=4 conv=fsync
unserve
same "without a write cache: neither" "4 0 0" "$(counted write) $(counted fua) $(counted flush)"

serve "" --size 16M --write-cache --fua
check "mkfs.ext4" mkfs.ext4 -q "$DISK"
mkdir -p "$WORK/mnt"
must mount "$DISK" "$WORK/mnt"
check "a journal commit" sync -f "$WORK/mnt"
check "umount" umount "$WORK/mnt"
unserve
check "a file system flushes ($(counted flush)) or uses FUA ($(counted fua))" \
	test $(($(counted flush) + $(counted fua))) -ge 2

serve "" --size 16M --no-scan --write-cache --ram "$WORK/ram"
check "16 that write and sync, again and again" within 60 fio --name=storm --filename="$DISK" --thread --rw=randwrite \
	--bs=4k --direct=1 --fsync=1 --numjobs=16 --size=1M --offset_increment=1M --time_based --runtime=3 \
	--group_reporting --output="$WORK/fio"
check "nothing is left of them" nothing_under_way
unserve
check "FLUSHes came down, $(counted flush)" test "$(counted flush)" -ge 16

serve "" --size 1M --no-scan --write-cache --fault error=5 --after 1
log_expect_errors
check_not "a FLUSH that fails makes fsync fail" \
	dd if=/dev/zero of="$DISK" oflag=direct bs=64k count=1 conv=fsync
unserve

finish
