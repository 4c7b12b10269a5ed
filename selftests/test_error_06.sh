#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The event of requests that fail: the first at once, those of the next ten seconds in one.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ring_server
log_expect_errors

events() { grep -c 'event=io-error ' "$WORK/job.$MONITOR"; }
happened() { [ "$(events)" -ge "$1" ]; }
last() { grep 'event=io-error ' "$WORK/job.$MONITOR" | tail -n 1; }

background tap-ctl monitor
MONITOR=$JOB
sleep 1
serve "" --size 4M --no-scan --fault error=28 --times 5
check_not "a write fails" dd if=/dev/zero of="$DISK" bs=4k count=1 seek=3 oflag=direct
check "the event comes at once" wait_for 3 happened 1
check "it tells what, where and why" grep -q "requests=1 op=write offset=12288 length=4096 error=No space left on device" <<<"$(last)"
for ((i = 0; i < 4; i++)); do
	dd if="$DISK" of=/dev/null bs=4k count=1 skip=$i iflag=direct 2>/dev/null
done
sleep 2
same "more do not follow at once" 1 "$(events)"
check "but in one event later" wait_for 12 happened 2
check "which tells how many" grep -q "requests=4 op=read offset=0 length=4096 error=No space left on device" <<<"$(last)"
check "what works is no event" dd if="$DISK" of=/dev/null bs=4k count=4 iflag=direct
unserve
same "no more came" 2 "$(events)"

kill "$MONITOR"
reap "$MONITOR"
finish
