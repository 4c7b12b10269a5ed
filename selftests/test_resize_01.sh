#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A disk grows and shrinks while it is open; the world is told.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup uevents

size() { blockdev --getsize64 "$DISK"; }
has_size() { [ "$(size)" = "$1" ]; }

background uevents
monitor=$JOB
wait_for 10 grep -q listening "$WORK/job.$monitor"

serve "" --size 8M --resize 12M
same "8 MiB" $((8 << 20)) "$(size)"
exec 8<"$DISK"
kill -USR1 "$SERVER"
check "12 MiB, while it is open" wait_for 10 has_size $((12 << 20))
check "the server was told" wait_for 10 grep -qx 'resize: 0' "$WORK/job.$SERVER"
check "a uevent RESIZE=1 came" wait_for 10 \
	grep -q "change@/devices/.*tapdev$MINOR .*RESIZE=1" "$WORK/job.$monitor"
same "netlink agrees" $((12 << 20)) "$(tap_value "$MINOR" capacity)"
check "the new end can be written" dd if=/dev/zero of="$DISK" bs=1M seek=11 count=1 oflag=direct
exec 8<&-
unserve

serve "" --size 8M --resize 4M
exec 8<"$DISK"
kill -USR1 "$SERVER"
check "shrinking to 4 MiB" wait_for 10 has_size $((4 << 20))
exec 8<&-
check_not "nothing is beyond" dd if=/dev/zero of="$DISK" bs=1M seek=4 count=1 oflag=direct
unserve
same "nothing wrong came down" 0 "$(counted wrong)"
kill "$monitor"
reap "$monitor"

finish
