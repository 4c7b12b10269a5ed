#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Each allocation of each call to the driver fails, one after the other.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup fault_alloc
log_expect_errors
# What fails on purpose is warned of at length; worse than a warning it must not be.
LOG_FATAL=${LOG_FATAL/|Call Trace/}
LOG_FATAL=${LOG_FATAL/kmemleak/kmemleak: [0-9]+ new}
log_expect '^<4>|kobject_add_internal failed'

faults=/sys/kernel/debug
if [ ! -e "$faults/failslab/ignore-gfp-wait" ] || [ ! -e /proc/self/fail-nth ]; then
	skip_all "needs a kernel with fault injection"
fi

# Those that may sleep fail as well; only in the tasks that ask for it.
for kind in failslab fail_page_alloc; do
	echo N >"$faults/$kind/ignore-gfp-wait"
	echo 0 >"$faults/$kind/verbose"
done
echo N >"$faults/fail_page_alloc/ignore-gfp-highmem"
echo 0 >"$faults/fail_page_alloc/min-order"
[ ! -e "$faults/fail_usercopy/verbose" ] || echo 0 >"$faults/fail_usercopy/verbose"

image backing 2M
must dd if=/dev/zero of="$IMAGE" bs=1M count=2 conv=notrunc
adopt fault_alloc "$IMAGE"

finish
