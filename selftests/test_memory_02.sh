#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Swap on a tap: who needs more memory than there is gets its pages back as they were,
# and nothing hangs, whoever moves the bytes, over a block device and over a file.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq mkswap swapon swapoff chrt pressure
log_expect 'Adding .* swap on|a process writes what is swapped to it'
[ -w /proc/sysrq-trigger ] || skip_all "needs /proc/sysrq-trigger"

KEEP=160		# MiB that are left of the machine's memory
TOUCH=256		# MiB that are used
SWAP=256		# MiB
[ "$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)" -ge $((KEEP + SWAP + 64)) ] ||
	skip_all "needs $((KEEP + SWAP + 64)) MiB of memory"

# A hang ends, but nothing more can be said of the machine after one.
tidy() {
	[ -z "${DISK-}" ] || swapoff "$DISK"
	modprobe -q -r brd
} 2>/dev/null
trap 'tidy; ended_early' EXIT

swapped_out() { awk '$1 == "pswpout" { print $2 }' /proc/vmstat; }

# since TEXT: what the kernel has said.
since() { dmesg | awk -v mark="$NAME: $1" 'index($0, mark) { seen = 1 } seen'; }

# was_short SWAPPED: since so many pages had been swapped out.
was_short() { [ $(($(swapped_out) - $1)) -ge $(((TOUCH - KEEP) * 128)) ]; }

# endure TEXT
endure() {
	local status before try
	# What earlier tests have left may be given up first, caches and what is freed only now.
	for try in 1 2 3; do
		sync
		echo 3 >/proc/sys/vm/drop_caches
		before=$(swapped_out)
		pressure $KEEP $TOUCH 1 >"$WORK/pressure" 2>&1
		status=$?
		if was_short "$before" || [ $status -ne 0 ]; then
			break
		fi
		note "$1: there was more memory than was seen at the beginning, at try $try"
	done
	[ $status -eq 0 ] || note "$(cat "$WORK/pressure")"
	[ $status -ne 3 ] || note "$(since "$1" | tail -n 200)"
	same "$1: all pages are what they were" 0 $status
	check "$1: it was short of memory" was_short "$before"
}

# urgent: how many of the tapdisk's threads have a real-time priority.
urgent() { ps -L -o cls= -p "$PID" | grep -c RR; }
warned() { since "$1" | grep "tapdev$MINOR: a process writes what is swapped"; }

# swap_on IMAGE TEXT MODE
swap_on() {
	local text="$2, $3"
	echo "<14>$NAME: $text" >/dev/kmsg
	create -a "aio:$1" --kernel-io="$3" --queues 2
	must mkswap "$DISK"
	must swapon "$DISK"
	endure "$text"
	case $3 in
	off)
		check "$text: the tapdisk moved it" counts 'ios_daemon > 1000 and .ios_redirect + .ios_extent == 0'
		check "$text: in a hurry" test "$(urgent)" -gt 0
		check "$text: the kernel warns of that" warned "$text"
		;;
	redirect)
		check "$text: the kernel moved it" counts 'ios_redirect > 1000 and .ios_retry == 0'
		check "$text: told to in a hurry" test "$(urgent)" -gt 0
		check_not "$text: there is no warning" warned "$text"
		;;
	auto)
		check "$text: the kernel moved it" counts 'ios_extent > 1000 and .ios_retry == 0'
		check_not "$text: there is no warning" warned "$text"
		;;
	esac
	must swapoff "$DISK"
	check "$text: destroy" destroy
	DISK=''
}

image swap.img ${SWAP}M
must dd if=/dev/zero of="$IMAGE" bs=1M count=$SWAP conv=fsync
if ram_disk ${SWAP}M; then
	must dd if=/dev/zero of="$RAM" bs=1M count=$SWAP oflag=direct
	for mode in auto redirect off; do
		swap_on "$RAM" "a block device" $mode
	done
	must modprobe -r brd
else
	skip "swap over a block device" "needs brd"
fi
for mode in auto redirect off; do
	swap_on "$IMAGE" "a file" $mode
done

finish
