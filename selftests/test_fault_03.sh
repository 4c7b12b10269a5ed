#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each allocation of what the driver leaves to the kernel's workers fails, one after the
# other: of disks that come and go, of sessions that end, of I/O to files.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/fault.sh"
setup fault_work fault_io
fault_setup
[ -e "$FAULTS/failslab/require-start" ] || skip_all "needs a kernel that fails allocations by their callers"
log_expect 'tapdev[0-9]+: cannot be added: |can not set name properly|out of free dentries'
fault_files

fault_below_module
adopt fault_work
adopt fault_io -w "$FILE" "$DEVICE"
fault_below 0 0xffffffffffffffff

finish
