#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The power goes off below a file system that has the image, a file with holes: what was
# said to be durable is there, and so is the place where it was written.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/power.sh"
setup tap-ctl jq dmsetup mkfs.ext4 e2fsck durable_write durable_log
log_expect 'EXT4-fs'
power_setup
mkdir "$WORK/below"

for mode in off redirect auto; do
	logged_disk 48M
	must small_ext4 "$LOGGED"
	must mount_logged "$LOGGED" "$WORK/below"
	must truncate -s 16M "$WORK/below/disk.img"
	must sync -f "$WORK/below"
	create -a "aio:$WORK/below/disk.img" --kernel-io=$mode
	must mark start
	promises=$(durable_write -t "$POWER_SECONDS" "$LOGGED_NAME" "$DISK")
	check "$mode: much was promised, $promises times" enough "$promises"
	check "$mode: who moved the bytes" moves $mode
	check "$mode: destroy" destroy
	must umount "$WORK/below"
	must logged_disk_gone
	survives "$mode: what was promised is in the image" kept "$WORK/mnt/disk.img" r
done

finish
