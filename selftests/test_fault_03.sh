#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each allocation of the I/O to files that the driver leaves to the kernel's workers fails,
# one after the other.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/fault.sh"
setup fault_io
fault_setup
[ -e "$FAULTS/failslab/require-start" ] || skip_all "needs a kernel that fails allocations by their callers"
fault_files

fault_below_module
adopt fault_io -w "$FILE" "$DEVICE"
fault_below 0 0xffffffffffffffff

finish
