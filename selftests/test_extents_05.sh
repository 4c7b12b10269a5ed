#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# As many extents as there may be: cutting them into more is no way beyond the limit.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_limit
[ "$SLOWNESS" = 1 ] || skip_all "takes minutes on a kernel that watches itself"

image backing 4M
begin=$SECONDS
adopt ring_limit "$IMAGE"
note "$((SECONDS - begin)) s"

finish
