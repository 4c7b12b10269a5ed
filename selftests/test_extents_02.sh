#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A file that is cut short below its extent: the extent is dropped, which is told, and
# the daemon serves.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_server

image backing 8M
must dd if=/dev/urandom of="$IMAGE" bs=1M count=8 conv=notrunc
background nl_tool events
listener=$JOB
serve "" --size 8M --write-cache --no-scan --backing "$IMAGE" --by extent
check "the disk is the file" cmp "$IMAGE" <(dd if="$DISK" bs=1M iflag=direct status=none)
same "by an extent" 1 "$(tap_value "$MINOR" extents)"
truncate -s 4M "$IMAGE"
truncate -s 8M "$WORK/expected"
must dd if="$IMAGE" of="$WORK/expected" conv=notrunc bs=1M
check "a read beyond the end is served" cmp "$WORK/expected" <(dd if="$DISK" bs=64k iflag=direct status=none)
same "the extent is dropped" 0 "$(tap_value "$MINOR" extents)"
check "one request at least was retried" [ "$(tap_value "$MINOR" ios_retry)" -ge 1 ]
check "an event says so" wait_for 5 grep -q 'extent-dropped.*extent_offset=0 extent_length=8388608 error=5' "$WORK/job.$listener"
kill "$listener"
reap "$listener"
unserve
check "the daemon has seen RETRY" [ "$(counted retried)" -ge 1 ]

finish
