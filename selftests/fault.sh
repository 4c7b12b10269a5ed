# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests in which allocations fail, on a kernel that can have them do so. Sourced after
# common.sh.

FAULTS=/sys/kernel/debug
FAULT_KINDS=(failslab fail_page_alloc)

# fault_setup: those that may sleep fail as well; only in the tasks that ask for it.
fault_setup() {
	local kind
	if [ ! -e "$FAULTS/failslab/ignore-gfp-wait" ] || [ ! -e /proc/self/fail-nth ]; then
		skip_all "needs a kernel with fault injection"
	fi
	log_expect_errors
	# What fails on purpose is warned of at length; worse than a warning it must not be.
	LOG_FATAL=${LOG_FATAL/|Call Trace/}
	LOG_FATAL=${LOG_FATAL/kmemleak/kmemleak: [0-9]+ new}
	log_expect '^<4>|kobject_add_internal failed|workqueue: Failed to (allocate|create) a rescuer'

	for kind in "${FAULT_KINDS[@]}"; do
		echo N >"$FAULTS/$kind/ignore-gfp-wait"
		echo 0 >"$FAULTS/$kind/verbose"
	done
	echo N >"$FAULTS/fail_page_alloc/ignore-gfp-highmem"
	echo 0 >"$FAULTS/fail_page_alloc/min-order"
	[ ! -e "$FAULTS/fail_usercopy/verbose" ] || echo 0 >"$FAULTS/fail_usercopy/verbose"
	fault_below 0 0xffffffffffffffff
}

# fault_below START END: of the functions between these addresses, and what they call.
fault_below() {
	local kind
	for kind in "${FAULT_KINDS[@]}"; do
		echo "$1" >"$FAULTS/$kind/require-start"
		echo "$2" >"$FAULTS/$kind/require-end"
	done
}

# fault_below_module: of the driver's functions. Its text ends where something else begins.
fault_below_module() {
	local sections=/sys/module/blktap/sections start end
	start=$(<$sections/.text)
	end=$(find $sections -type f -exec cat {} + | sort | awk -v start="$start" '$1 "" > start { print; exit }')
	fault_below "$start" "${end:-0xffffffffffffffff}"
}

# fault_files: what disks are kept on, FILE and DEVICE.
fault_files() {
	image backing 2M
	FILE=$IMAGE
	must dd if=/dev/zero of="$FILE" bs=1M count=2 conv=notrunc
	ram_disk 2M || skip_all "needs brd"
	DEVICE=$RAM
}
