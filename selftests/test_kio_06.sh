#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What can happen to the file below while the kernel does the I/O: it is deleted, cut
# short, its file system frozen or full, its device gone. Each error has its name.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq mkfs.ext4 fsfreeze losetup
log_expect_errors
log_expect 'I/O error, dev (loop|sd)|Buffer I/O error|attempt to access beyond end of device|EXT4-fs|scsi_debug|Power-on or device reset'

read_at() { dd if="$DISK" of="$WORK/read" bs=4k skip="$1" count=1 iflag=direct; }
write_at() { dd if="$WORK/bytes" of="$DISK" bs=4k seek="$1" count="${2:-1}" oflag=direct; }
sees() { cmp -n 4096 "$WORK/bytes" "$WORK/read"; }

modprobe -q loop
must dd if=/dev/urandom of="$WORK/bytes" bs=4k count=4
mkdir "$WORK/mnt"
image fs.img 48M
must mkfs.ext4 -q "$IMAGE"
must mount -o loop "$IMAGE" "$WORK/mnt"

for mode in redirect auto; do
	must truncate -s 16M "$WORK/mnt/disk.img"
	must dd if=/dev/zero of="$WORK/mnt/disk.img" bs=1M count=16 conv=notrunc,fsync
	create -a "aio:$WORK/mnt/disk.img" --kernel-io=$mode
	same "$mode: in use" "$mode" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"

	# Frozen: requests wait, nobody else does.
	check "$mode: freeze" fsfreeze -f "$WORK/mnt"
	background dd if="$WORK/bytes" of="$DISK" bs=4k count=1 seek=7 oflag=direct
	writer=$JOB
	check "$mode, frozen: a write waits" wait_for 10 waiting 1
	sleep 0.3
	check "$mode, frozen: it still does" waiting 1
	check "$mode, frozen: the tapdisk answers" within 10 tap-ctl list -p "$PID"
	check_not "$mode, frozen: a pause gives up at its time" tap-ctl pause -p "$PID" -m "$MINOR" -t 1
	check "$mode: thaw" fsfreeze -u "$WORK/mnt"
	ends "$mode: the write goes through" 0 "$writer"
	check "$mode: it can be read" read_at 7
	check "$mode: and is right" sees

	# Deleted: it lives as long as it is open.
	must rm "$WORK/mnt/disk.img"
	check "$mode, deleted: a write" write_at 11
	check "$mode, deleted: a read" read_at 11
	check "$mode, deleted: it is right" sees
	check "$mode: no error so far" counts 'ios_retry == 0'
	check "$mode: destroy" destroy

	# Cut short: what is left is served, the rest is an error or zeroes, and says so once.
	must truncate -s 16M "$WORK/mnt/short.img"
	must dd if="$WORK/bytes" of="$WORK/mnt/short.img" bs=4k seek=1 count=1 conv=notrunc,fsync
	create -a "aio:$WORK/mnt/short.img" --kernel-io=$mode
	must truncate -s 1M "$WORK/mnt/short.img"
	read_at 3000 >/dev/null 2>&1
	check "$mode, cut short: the kernel's read came back" counts 'ios_retry >= 1'
	check "$mode, cut short: what is left can be read" read_at 1
	check "$mode, cut short: it is right" sees
	check "$mode: destroy" destroy
	must rm "$WORK/mnt/short.img"

	# Full: a hole that finds no block.
	must truncate -s 16M "$WORK/mnt/holes.img"
	create -a "aio:$WORK/mnt/holes.img" --kernel-io=$mode
	dd if=/dev/zero of="$WORK/mnt/filler" bs=64k oflag=direct 2>/dev/null
	dd if=/dev/zero of="$WORK/mnt/filler2" bs=4k oflag=direct 2>/dev/null
	same "$mode, full: a write fails for want of space" 1 "$(write_at 900 2>&1 | grep -c 'No space left')"
	check "$mode, full: the kernel tried, then the daemon" counts 'ios_retry >= 1'
	must rm "$WORK/mnt/filler" "$WORK/mnt/filler2"
	check "$mode: with space again a write succeeds" write_at 900
	check "$mode: destroy" destroy
	must rm "$WORK/mnt/holes.img"
done
must umount "$WORK/mnt"

# Unplugged.
scsi_disk() {
	local dir
	modprobe -q sd_mod
	modprobe -q scsi_debug dev_size_mb=16 || return 1
	wait_for 10 compgen -G '/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*:*/block/*' || return 1
	dir=$(compgen -G '/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*:*' | head -n 1)
	SCSI=$dir
	PLUGGED=/dev/$(ls "$dir/block")
	wait_for 5 test -b "$PLUGGED"
}

if scsi_disk; then
	create -a "aio:$PLUGGED"
	check "a device: a write" write_at 5
	check "by the kernel" counts 'ios_extent >= 1 and .ios_retry == 0'
	echo 1 >"$SCSI/delete"
	check_not "unplugged: a write fails" write_at 6
	check_not "unplugged: a read, too" read_at 5
	check "unplugged: the kernel tried, then the daemon" counts 'ios_retry >= 1 and .extents == 0'
	check "unplugged: destroy" destroy
	check "and all is let go" wait_for 10 modprobe -r scsi_debug
else
	skip "unplugged" "no scsi_debug"
fi

finish
