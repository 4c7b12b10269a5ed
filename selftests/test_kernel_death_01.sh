#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The daemon is killed while the kernel does I/O for it: that ends by itself, and the
# next daemon starts meanwhile.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_server fio
log_expect_errors

DELAY=$((3 * SLOWNESS))	# seconds, in which the next daemon starts
slow_disk $((DELAY * 1000)) || skip_all "needs brd and dm-delay"

idle() { ! waiting 1; }
is_held() { [ "$(tap_value "$MINOR" recovery)" = 1 ]; }
is_served() { [ "$(tap_value "$MINOR" recovery)" = 0 ]; }
killed() {
	kill -KILL "$SERVER"
	reap "$SERVER"
}

for way in redirect extent; do
	serve "queues=2" --size 8M --write-cache --no-scan --backing "$SLOW" --by "$way"
	exec 8<>"$DISK"
	background dd if=/dev/urandom of="$DISK" bs=64k count=8 oflag=direct,nonblock
	background fio --name=load --filename="$DISK" --rw=randwrite --bs=4k --size=8M --direct=1 --ioengine=libaio \
		--iodepth=16 --time_based --runtime=60 --output="$WORK/fio"
	load=$JOB
	check "$way: requests are under way" wait_for 10 waiting 16
	sleep 0.5
	killed
	begin=$SECONDS
	serve_again --size 8M --write-cache --no-scan
	check "$way: the next daemon starts while they are" [ $((SECONDS - begin)) -lt $DELAY ]
	check "$way: and gets no request before they have ended" is_held
	same "$way: without files" "files=0 extents=0" "$(nl_tool get "$MINOR" | grep -o 'files=[0-9]* extents=[0-9]*')"
	kill -TERM "$load" 2>/dev/null
	reap "$load" 20
	check "$way: then it serves" wait_for $((DELAY + 10)) is_served
	check "$way: after as long as that takes" [ $((SECONDS - begin)) -ge $((DELAY - 2)) ]
	check "$way: all requests end" wait_for 10 idle
	for job in "${!JOBS[@]}"; do
		[ "$job" = "$SERVER" ] || reap "$job" 20
	done
	check "$way: the disk works" dd if=/dev/zero of="$DISK" bs=64k count=16 oflag=direct
	exec 8<&-
	unserve
done

serve "" --size 8M --no-scan --backing "$SLOW" --by extent
background dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
writer=$JOB
check "a last write is under way" wait_for 10 waiting 1
killed
check_not "the tap cannot be freed while its disk is open" nl_tool del "$MINOR"
ends "the write ends well without a daemon" 0 "$writer"
check "the tap can be freed" wait_for 10 nl_tool del "$MINOR"
check "the kernel has let the device go" wait_for 10 slow_disk_gone

finish
