#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every call on the ring node and on a queue, made wrongly.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_abuse

adopt ring_abuse

finish
