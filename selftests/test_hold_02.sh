#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A daemon dies at all kinds of moments, and the next one goes on: nobody gets an error.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_server fio
log_expect_errors
log_expect 'no daemon for [0-9]* ms: requests fail'

recovery() { tap_value "$MINOR" recovery; }
is_held() { [ "$(recovery)" = 1 ]; }
has_failed() { [ "$(recovery)" = 2 ]; }
scanned() { [ "$(tap_value 7 state)" = 2 ]; }
no_session() { [ -z "$(tap_value "$MINOR" pid)" ]; }
happened() { grep -q " event=$1 minor=$MINOR" "$WORK/job.$MONITOR"; }
order() { sed -n 's/.* event=\([a-z-]*\) .*/\1/p' "$WORK/job.$MONITOR" | tail -n "$1" | tr '\n' ' '; }
killed() {
	kill -KILL "$SERVER" 2>/dev/null
	reap "$SERVER"
}
# cpu_of QUEUE: one whose requests take that
cpu_of() { sed 's/[^0-9].*//' "/sys/block/xen!blktap-2!tapdev$MINOR/mq/$1/cpu_list"; }
# dies TEXT OPTIONS...: one more server that kills itself
dies() {
	background ring_server "${@:2}" "$MINOR"
	ends "$1" 137 "$JOB"
	wait_for 10 no_session
}

listen

# Killed again and again under checked writes.
serve "queues=2" --size 16M --write-cache --ram "$WORK/ram"
background fio --name=verify --filename="$DISK" --rw=randrw --bs=4k-64k --direct=1 --ioengine=libaio --iodepth=16 \
	--size=16M --io_size=24M --verify=crc32c --verify_backlog=32 --do_verify=1 --output="$WORK/fio"
fio=$JOB
for round in 1 2 3 4 5; do
	sleep 0.7
	killed
	check "round $round: it is held" wait_for 10 is_held
	serve_again --size 16M --write-cache --ram "$WORK/ram"
done
same "lost, attached, resumed" "daemon-lost attached resumed " "$(order 3)"
ends "fio verify sees no error" 0 "$fio" 120
same "and found nothing wrong" "" "$(grep -i 'verify.*fail\|bad magic\|error' "$WORK/fio")"

# At bad moments, with a request that waits for the outcome.
killed
background dd if="$WORK/ram" of="$DISK" bs=64k count=64 oflag=direct
writer=$JOB
dies "dying between the set-up of two queues" --size 16M --write-cache --die map
dies "dying between ATTACH and START" --size 16M --write-cache --die attach
dies "dying in the first request" --size 16M --write-cache --ram "$WORK/ram" --fault die
dies "dying in one of several" --size 16M --write-cache --ram "$WORK/ram" --fault die --after 3
check "the writer waits" test -e "/proc/$writer"
serve_again --size 16M --write-cache --ram "$WORK/ram"
ends "then it has its way" 0 "$writer"
check "the data is right" cmp -n 4194304 "$WORK/ram" <(dd if="$DISK" bs=64k count=64 iflag=direct status=none)

# Two writers, each on a queue of its own: the requests of one are answered, and one of the
# other's is in hand.
killed
if [ "$(nproc)" -gt 1 ]; then
	# With pauses, in which the server looks at the other queue.
	writers=()
	for queue in 0 1; do
		background fio --name=queue$queue --filename="$DISK" --cpus_allowed="$(cpu_of $queue)" --rw=randwrite \
			--bs=4k --direct=1 --ioengine=libaio --iodepth=4 --thinktime=2000 --thinktime_blocks=4 --offset=$((queue * 4))M --size=4M \
			--verify=crc32c --do_verify=1 --verify_fatal=1
		writers+=("$JOB")
	done
	# The writer of queue 1 has begun last.
	for queue in 1 0; do
		# The other one may not have begun.
		for attempt in 1 2 3; do
			background ring_server --size 16M --write-cache --ram "$WORK/ram" --fault die --queue $queue --after 40 "$MINOR"
			ends "attempt $attempt: dying with one of queue $queue in hand" 137 "$JOB"
			COUNTS=$(cat "$WORK/job.$JOB")
			[ "$(counted write)" -le 40 ] || break
			wait_for 10 no_session
		done
		check "after answers to both writers, $(counted write) in all" test "$(counted write)" -gt 40
		wait_for 10 no_session
	done
	serve_again --size 16M --write-cache --ram "$WORK/ram"
	ends "the writer of queue 0 has no error" 0 "${writers[0]}" 60
	ends "nor has that of queue 1" 0 "${writers[1]}" 60
	killed
else
	skip "dying between two queues' requests" "there is one processor"
fi

# One with another idea of the disk does not get it.
wait_for 10 is_held
background dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct
reader=$JOB
wait_for 10 blocked "$reader" || die "the reader does not wait"
background ring_server --size 8M --write-cache "$MINOR"
ends "another size is refused" 124 "$JOB"
check "and the disk waits on" is_held
serve_again --size 16M --write-cache --ram "$WORK/ram"
ends "the reader has its data" 0 "$reader"
unserve

# In the partition scan.
serve_dead() {
	must nl_tool new minor="$1" "${@:2}"
	MINOR=$1 DISK=$NODES/tapdev$1
}
serve_dead 7
dies "dying in the partition scan" --die scan --size 4M --ram "$WORK/ram7"
same "the disk is still being added" 1 "$(tap_value 7 state)"
serve_again --size 4M --ram "$WORK/ram7"
check "the next server finishes the scan, and serves" dd if="$DISK" of=/dev/null bs=1M iflag=direct
unserve
serve_dead 7
dies "dying in the scan again" --die scan --size 4M
check "one that nobody serves can be freed all the same" within 20 nl_tool del 7
check_not "its disk has gone" test -e "$DISK"
serve_dead 7 hold_ms=$((1500 * SLOWNESS))
dies "dying in the scan once more" --die scan --size 4M
same "the scan waits for somebody" "1 1" "$(tap_value 7 state) $(recovery)"
check "and ends when the hold time is over" wait_for 10 scanned
check "recovery: failed" has_failed
check "the event hold-expired" wait_for 5 happened hold-expired
check "the disk can be freed without force" within 20 nl_tool del 7

# The time is over.
serve "hold_ms=1500" --size 4M --no-scan --ram "$WORK/ram7" --fault never
background dd if=/dev/zero of="$DISK" bs=64k count=1 oflag=direct
writer=$JOB
wait_for 10 grep -q keeping "$WORK/job.$SERVER" || die "the server has no request"
begin=$(date +%s%N)
killed
fails "a write fails when the time is over" "$writer" 10
took=$((($(date +%s%N) - begin) / 1000000))
check "not before ($took ms)" test "$took" -ge 1500
check "nor long after" test "$took" -lt 4000
check "recovery: failed" has_failed
check "the event hold-expired" wait_for 5 happened hold-expired
check_not "a new read fails at once" within 5 dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct
serve_again --size 4M --no-scan --ram "$WORK/ram7"
check "the next session serves again" dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct
unserve

# Nothing is held for a disk that is to go.
serve "hold_ms=0" --size 4M --no-scan --ram "$WORK/ram7"
killed
check "held without limit" is_held
same "nothing is said of the time left" "" "$(tap_value "$MINOR" hold_left_ms)"
check "a disk that is held can be freed" within 20 nl_tool del "$MINOR"

kill "$MONITOR"
reap "$MONITOR"
finish
