#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The limits of mappings.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_mmap

adopt ring_mmap

finish
