#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Completions and indices that break the rules.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_rules

log_expect 'error,? (on )?dev(ice)? xen/blktap-2'
adopt ring_rules

finish
