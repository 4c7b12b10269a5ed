#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A session in other hands than those that attached.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_heirs

log_expect_errors
adopt ring_heirs

finish
