#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The power goes off below a file system that has the image of a disk with a file system
# on it: what FUA asks of a file is done, too. Both are sound, and have what was synced.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/power.sh"
setup tap-ctl jq dmsetup mkfs.ext4 e2fsck durable_write durable_log
log_expect 'EXT4-fs'
power_setup
mkdir "$WORK/below"

# both_sound: what the image has, too.
both_sound() {
	local status=0
	mount -o loop "$WORK/mnt/disk.img" "$WORK/inner" || return
	all_kept "$WORK/inner" || status=1
	umount "$WORK/inner" || return
	e2fsck -fn "$WORK/mnt/disk.img" || status=1
	return $status
}

for mode in off redirect auto; do
	logged_disk 64M
	must small_ext4 "$LOGGED"
	must mount_logged "$LOGGED" "$WORK/below"
	must truncate -s 40M "$WORK/below/disk.img"
	create -a "aio:$WORK/below/disk.img" --kernel-io=$mode
	file_system "$DISK"
	must sync -f "$WORK/below"
	work_in_it "$mode"
	check "$mode: who moved the bytes" moves $mode
	check "$mode: destroy" destroy
	must umount "$WORK/below"
	must logged_disk_gone
	survives "$mode: the file system in the image has it" both_sound
done

finish
