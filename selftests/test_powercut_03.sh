#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The power goes off below a disk with a file system on it: it is sound, and has what was
# synced. It relies on FUA for its journal, and for what is written over with O_DSYNC.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/power.sh"
setup tap-ctl jq dmsetup mkfs.ext4 e2fsck durable_write durable_log
log_expect 'EXT4-fs'
power_setup

for mode in off redirect auto; do
	logged_disk 48M
	create -a "aio:$LOGGED" --kernel-io=$mode
	file_system "$DISK"
	work_in_it "$mode"
	check "$mode: who moved the bytes" moves $mode
	check "$mode: destroy" destroy
	must logged_disk_gone
	survives "$mode: the file system has it" all_kept "$WORK/mnt"
done

finish
