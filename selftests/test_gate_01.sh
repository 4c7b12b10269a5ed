#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# HOLD, RELEASE and STOP in the midst of submissions.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_gate
log_expect_errors

ram_disk 16M || skip_all "needs brd"
adopt ring_gate "$RAM"

finish
