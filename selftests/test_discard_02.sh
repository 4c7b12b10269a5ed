#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# DISCARD and WRITE_ZEROES as a server gets them, and without either.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup blkdiscard

serve "queues=1" --size 8M --no-scan --discard 1M --zeroes 2M
must dd if=/dev/urandom of="$DISK" bs=1M count=8 oflag=direct
check "blkdiscard of 4 MiB" blkdiscard -o 0 -l $((4 << 20)) "$DISK"
check "blkdiscard -z of 4 MiB" blkdiscard -z -o $((4 << 20)) -l $((4 << 20)) "$DISK"
check "all reads as zeroes" cmp -n $((8 << 20)) "$DISK" /dev/zero
unserve
same "in pieces of what the server takes" "4 2" "$(counted discard) $(counted zeroes)"
same "nothing wrong came down" 0 "$(counted wrong)"

serve "queues=1" --size 8M --no-scan
must dd if=/dev/urandom of="$DISK" bs=1M count=8 oflag=direct
check_not "without DISCARD blkdiscard fails" blkdiscard "$DISK"
check "without WRITE_ZEROES zeroes are written" blkdiscard -z "$DISK"
check "and read back" cmp -n $((8 << 20)) "$DISK" /dev/zero
unserve
same "neither came down" "0 0" "$(counted discard) $(counted zeroes)"

finish
