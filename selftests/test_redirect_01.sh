#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Redirects to a file on a file system, a block device and the disk of another
# tap; data on demand.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_redirect
log_expect_errors
log_expect 'attempt to access beyond end of device'

image backing 2M
note "a file"
adopt ring_redirect "$IMAGE"

if ram_disk 16M; then
	note "a block device"
	adopt ring_redirect "$RAM"
else
	skip "a block device" "needs brd"
fi

note "the disk of another tap"
serve "" --size 4M --write-cache --fua
adopt ring_redirect "$DISK"
unserve

finish
