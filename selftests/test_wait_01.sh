#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# ENTER's wait: for submissions, for another descriptor, spinning and asleep.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_wait

adopt ring_wait

finish
