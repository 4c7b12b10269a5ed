#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Hostile daemons: each does what a program of the fuzzer tells it while others use its
# disk. Whatever they do, all ends in bounded time, and no memory is lost.
#
# BLKTAP_TEST_FUZZ_SECONDS makes it longer than 40 s (and run.sh -t must let it);
# BLKTAP_TEST_FUZZ_SEED repeats the choices of another run. Programs that reached
# something new, on a kernel with KCOV, are added to BLKTAP_TEST_FUZZ_FOUND. Each is
# written to BLKTAP_CRASH_LOG before it runs.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_fuzz
log_keep
log_expect_errors
# Names of disks that have just gone, malformed messages, disks that were not to be.
log_expect 'block device autoloading is deprecated|netlink: .*ring_fuzz|tapdev[0-9]*: cannot be added'
log_expect 'no daemon for [0-9]* ms|has not answered a request for'
# Daemons that are killed while their disk is being made.
log_expect 'Failed to create a rescuer kthread for wq "blktap[0-9]*(_near)?": -(EINTR|4)'
# Users of one disk through the page cache and past it, which is theirs to avoid.
log_expect 'Page cache invalidation failure|File: /dev/xen/blktap-2/tapdev'
log_expect 'tapdev[0-9]*: .*beyond EOD|ring_fuzz .*: attempted to duplicate a private mapping'
SECONDS_OF_FUZZ=${BLKTAP_TEST_FUZZ_SECONDS:-40}
# Ending takes longer where the kernel watches itself, and that takes memory, too.
PATIENCE=$((20 * SLOWNESS)) SLACK_KIB=24576
[ ! -w /sys/kernel/debug/kmemleak ] || SLACK_KIB=131072

# What is allocated for a queue's rings; nobody else has any.
rings() { grep -c '\[blktap\]' /proc/vmallocinfo; }
no_rings() { [ "$(rings)" -eq 0 ]; }
available_kib() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo
}

ram_disk 16M
cd "$WORK" || die "no work directory"
list_always() {
	while [ ! -e "$WORK/stop" ]; do
		tap-ctl list || [ $? -lt 124 ] || return 1
	done >/dev/null 2>&1
}
before=$(available_kib)
background list_always
lister=$JOB
options=(-t "$SECONDS_OF_FUZZ" -w "$PATIENCE" -c "$HERE/ring_fuzz.corpus" -l "${BLKTAP_CRASH_LOG:-$WORK/programs}")
[ -z "${BLKTAP_TEST_FUZZ_SEED-}" ] || options+=(-s "$BLKTAP_TEST_FUZZ_SEED")
[ -z "${BLKTAP_TEST_FUZZ_FOUND-}" ] || options+=(-o "$BLKTAP_TEST_FUZZ_FOUND")
adopt ring_fuzz "${options[@]}"
touch "$WORK/stop"
ends "tap-ctl list, all the while" 0 "$lister"

check "no ring is left" wait_for 10 no_rings
lost=$?
check "nor a page of a buffer" test "$(cat /sys/module/blktap/parameters/buffers_kib)" -eq 0
after=$(available_kib)
check "memory is back: $before KiB were available, now $after" test "$after" -ge $((before - SLACK_KIB))
if [ $lost -eq 0 ]; then
	check "the module can be unloaded" wait_for 20 rmmod blktap
	must modprobe blktap
else
	fail "the module can be unloaded: it would wait for the rings"
fi

cd /
finish
