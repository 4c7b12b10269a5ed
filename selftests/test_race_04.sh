#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The last close of a disk, from within the end of one of its requests.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_close

adopt ring_close

finish
