#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# One minor, given and taken back again and again: by one process, by several at once
# that want the same, and with a disk. What memory is left the debug kernel tells; others, that
# it is not much.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup

# kernel_memory: in KiB, what is not given back when somebody asks for it.
kernel_memory() { awk '/^(SUnreclaim|VmallocUsed|Percpu|KernelStack|PageTables):/ { n += $2 } END { print n }' /proc/meminfo; }
# no_more: than BEFORE and 2 MiB, which is 200 bytes each time.
no_more() {
	NOW=$(kernel_memory)
	[ "$NOW" -le $((BEFORE + 2048)) ]
}

ROUNDS=10000
# A kernel that watches itself is slow, and looks for leaks of any size.
[ "$SLOWNESS" = 1 ] || ROUNDS=2000
must nl_tool cycle 500 5
BEFORE=$(kernel_memory)
check "one minor, $ROUNDS times" nl_tool cycle $ROUNDS 5
same "each time" given=$ROUNDS "$(cat "$WORK/check")"
if [ "$SLOWNESS" = 1 ]; then
	# What is freed later has been by then.
	wait_for 20 no_more
	check "the kernel has kept nothing: $BEFORE KiB before, $NOW after" no_more
fi

jobs=() given=0
for ((i = 0; i < 4; i++)); do
	background nl_tool cycle 300 7
	jobs+=("$JOB")
done
for job in "${jobs[@]}"; do
	ends "one of four that want the same" 0 "$job" 120
	given=$((given + $(sed -n 's/^given=//p' "$WORK/job.$job")))
done
check "they were given it $given times" test "$given" -gt 0
check "no more were given than one at a time" nl_tool new minor=7
check "and it can be freed" nl_tool del 7

for ((i = 0; i < 20; i++)); do
	serve "minor=9 queues=1" --size 1M --no-scan
	unserve
done
pass "20 disks of one minor"
same "nothing is left in /sys" "" "$(find /sys/block /sys/class/blktap2 -name '*blktap*tapdev*' -o -name '*blktap!blktap*')"

finish
