#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Three times as much as there is memory is written to a file system on a tap, and read.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq fio mkfs.ext4 e2fsck pressure
log_expect 'EXT4-fs'

KEEP=128		# MiB that are left of the machine's memory

locked() { grep -qx locked "$WORK/job.$JOB"; }
allocstalls() { awk '/^pgscan_(kswapd|direct) / { n += $2 } END { print n }' /proc/vmstat; }

image disk.img 600M
mkdir "$WORK/mnt"
for mode in off redirect auto; do
	create -a "aio:$IMAGE" --kernel-io=$mode
	must mkfs.ext4 -q "$DISK"
	must mount "$DISK" "$WORK/mnt"
	background pressure $KEEP
	holder=$JOB
	wait_for 60 locked || die "memory cannot be locked: $(cat "$WORK/job.$holder")"
	before=$(allocstalls)
	check "$mode: three times the memory" within 150 fio --name=dirty --directory="$WORK/mnt" --rw=write \
		--bs=1M --size=$((3 * KEEP))M --fallocate=none --end_fsync=1 --verify=md5 --do_verify=1 \
		--verify_fatal=1 --verify_state_save=0 --output="$WORK/fio"
	check "$mode: the kernel had to look for memory" test $(($(allocstalls) - before)) -ge $((KEEP * 256))
	kill "$holder"
	ends "$mode: who held the rest" 143 "$holder"
	must umount "$WORK/mnt"
	check "$mode: the file system is intact" e2fsck -fn "$DISK"
	check "$mode: who moved the bytes" moves $mode
	check "$mode: destroy" destroy
done

finish
