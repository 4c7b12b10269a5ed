#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# From one session to the next, seen from the rings.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_hold
log_expect_errors
log_expect 'no daemon for 1500 ms: requests fail'

adopt ring_hold

finish
