#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Extents in files on a file system and in block devices, and both in turn.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_extents
log_expect_errors
log_expect 'attempt to access beyond end of device'

image first 4M
first=$IMAGE
image second 4M
second=$IMAGE
note "files"
adopt ring_extents "$first" "$second"

if slow_disk 1500; then
	note "a block device and a file"
	adopt ring_extents "$RAM" "$second" "$SLOW"
	wait_for 5 slow_disk_gone
else
	skip "a block device" "needs brd and dm-delay"
fi

note "the disk of another tap"
serve "" --size 4M --write-cache --fua
adopt ring_extents "$DISK" "$second"
unserve

finish
