#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The kernel drops answers on purpose: requests are late though their daemon is well.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_server
log_expect_errors
log_expect 'FAULT_INJECTION|has not answered a request'

faults=/sys/kernel/debug/fail_io_timeout
[ -e $faults/probability ] || skip_all "needs a kernel with fail_io_timeout"

happened() { grep -q " event=timeout " "$WORK/job.$MONITOR"; }
# drop N: of the disk's answers, the next ones. dropped N: at least one of these has been.
drop() {
	echo 1 >"/sys/block/xen!blktap-2!tapdev$MINOR/io-timeout-fail"
	echo "$1" >$faults/times
	echo 100 >$faults/probability
}
dropped() { [ "$(cat $faults/times)" -lt "$1" ]; }

listen
echo 0 >$faults/verbose

serve "io_timeout_ms=1000 on_timeout=1" --size 4M --no-scan --ram "$WORK/ram"
drop 1
background dd if=/etc/passwd of="$DISK" bs=4k count=1 conv=sync oflag=direct
writer=$JOB
check "a request whose answer is lost is late" wait_for 10 happened
check "for the kernel has dropped it" dropped 1
ends "its daemon is killed" 137 "$SERVER" 10
serve_again --size 4M --no-scan --ram "$WORK/ram"
ends "the next one's answer counts" 0 "$writer"
check "and the data is there" cmp -n "$(stat -c %s /etc/passwd)" /etc/passwd "$WORK/ram"
unserve

serve "" --size 4M --no-scan --ram "$WORK/ram"
drop 3
background dd if="$DISK" of=/dev/null bs=4k count=3 iflag=direct
reader=$JOB
wait_for 10 dropped 3 || die "no answer is dropped"
check "a reader waits for one that was" waiting 1
kill -KILL "$SERVER"
reap "$SERVER"
echo 0 >$faults/probability
serve_again --size 4M --no-scan --ram "$WORK/ram"
ends "a session that ends with such requests loses none" 0 "$reader"
unserve

kill "$MONITOR"
reap "$MONITOR"
finish
