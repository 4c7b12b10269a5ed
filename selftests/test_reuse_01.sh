#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# One minor, given and taken back again and again: by one process, by several at once
# that want the same, and with a disk. Whether memory is left is what the debug kernel tells.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup

check "one minor, 2000 times" nl_tool cycle 2000 5
same "each time" given=2000 "$(cat "$WORK/check")"

jobs=()
for ((i = 0; i < 4; i++)); do
	background nl_tool cycle 300 7
	jobs+=("$JOB")
done
for job in "${jobs[@]}"; do
	ends "one of four that want the same" 0 "$job" 120
done
check "no more were given than one at a time" nl_tool new minor=7
check "and it can be freed" nl_tool del 7

for ((i = 0; i < 20; i++)); do
	serve "minor=9 queues=1" --size 1M --no-scan
	unserve
done
pass "20 disks of one minor"
same "nothing is left in /sys" "" "$(find /sys/block /sys/class/blktap2 -name '*blktap*tapdev*' -o -name '*blktap!blktap*')"

finish
