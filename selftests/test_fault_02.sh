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

# lost_answers WAY FILE OPTIONS...: of a server with these options, that keeps its data there.
lost_answers() {
	listen
	serve "io_timeout_ms=1000 on_timeout=1" --size 4M --no-scan "${@:3}"
	drop 1
	background dd if=/etc/passwd of="$DISK" bs=4k count=1 conv=sync oflag=direct
	writer=$JOB
	check "$1: a request whose answer is lost is late" wait_for 10 happened
	check "$1: for the kernel has dropped it" dropped 1
	ends "$1: its daemon is killed" 137 "$SERVER" 10
	[ "$1" != redirects ] || check_not "$1: nothing was begun" cmp -s -n 64 /etc/passwd "$2"
	serve_again --size 4M --no-scan "${@:3}"
	ends "$1: the next one's answer counts" 0 "$writer"
	check "$1: and the data is there" cmp -n "$(stat -c %s /etc/passwd)" /etc/passwd "$2"
	unserve

	serve "" --size 4M --no-scan "${@:3}"
	drop 3
	background dd if="$DISK" of=/dev/null bs=4k count=3 iflag=direct
	reader=$JOB
	wait_for 10 dropped 3 || die "$1: no answer is dropped"
	check "$1: a reader waits for one that was" waiting 1
	kill -KILL "$SERVER"
	reap "$SERVER"
	echo 0 >$faults/probability
	serve_again --size 4M --no-scan "${@:3}"
	ends "$1: a session that ends with such requests loses none" 0 "$reader"
	unserve
	kill "$MONITOR"
	reap "$MONITOR"
}

echo 0 >$faults/verbose
image backing 4M
lost_answers "its own" "$WORK/ram" --ram "$WORK/ram"
lost_answers "redirects" "$IMAGE" --backing "$IMAGE" --by redirect
same "redirects: those of all three blocks" 3 "$(counted redirected)"

finish
