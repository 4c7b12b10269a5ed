#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The calls for files and extents, and their errors.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_files

ram_disk 16M || skip_all "needs brd"
image backing 2M
adopt ring_files "$IMAGE" "$RAM"

finish
