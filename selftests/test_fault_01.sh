#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each allocation of each call to the driver fails, one after the other, and of each way
# that bytes are moved.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/fault.sh"
setup fault_alloc fault_io
fault_setup
fault_files

adopt fault_alloc "$FILE"
adopt fault_io "$FILE" "$DEVICE"

finish
