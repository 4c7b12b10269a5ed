#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A daemon that does not answer: who waits is told, or it is killed.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_server fio
log_expect_errors
log_expect 'has not answered a request'

times() { grep -c " event=$1 minor=$MINOR" "$WORK/job.$MONITOR"; }
happened() { [ "$(times "$1")" -ge "${2:-1}" ]; }
keeping() { grep -q keeping "$WORK/job.$SERVER"; }
write() {
	background dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
	writer=$JOB
}

listen

serve "io_timeout_ms=1000" --size 4M --no-scan --fault never --times 1
same "what follows: a report" 0 "$(tap_value "$MINOR" on_timeout)"
write
wait_for 10 keeping || die "the server has no request"
check "a request is late: the event" wait_for 10 happened timeout
check "and again" wait_for 10 happened timeout 2
check "the request still waits" test -e "/proc/$writer"
kill -KILL "$SERVER"
reap "$SERVER"
sleep 0.2
before=$(times timeout)
sleep 3
same "there is no time-out while it is held" "$before" "$(times timeout)"
serve_again --size 4M --no-scan
ends "the next session answers" 0 "$writer"
unserve

serve "io_timeout_ms=1000 on_timeout=1" --size 4M --no-scan --fault never --times 1
write
wait_for 10 keeping || die "the server has no request"
ends "one that is late is killed" 137 "$SERVER" 10
check "told so" happened timeout
check "the request waits" test -e "/proc/$writer"
serve_again --size 4M --no-scan
ends "and the next session answers" 0 "$writer"
unserve

serve "io_timeout_ms=1000 on_timeout=1" --size 4M --no-scan --fault never --times 1 --force
write
wait_for 10 keeping || die "the server has no request"
kill -TERM "$SERVER"
ends "one that stops its disk by force, and does not answer, too" 137 "$SERVER" 15
fails "the request fails" "$writer"
check "the disk goes" wait_for 10 nl_tool del "$MINOR"

# insists: on what it has been told already.
insists() {
	while kill -TERM "$SERVER"; do
		sleep 0.3
	done 2>/dev/null
}
serve "io_timeout_ms=1000 on_timeout=1" --size 4M --no-scan --fault never --times 1 --force
write
wait_for 10 keeping || die "the server has no request"
background insists
insisting=$JOB
ends "one that goes on stopping it has no longer" 137 "$SERVER" 15
check "it has stopped it more than once" test "$(grep -c '^stop: 0' "$WORK/job.$SERVER")" -gt 1
ends "and ends" 0 "$insisting"
fails "its request fails" "$writer"
check "its disk goes" wait_for 10 nl_tool del "$MINOR"

serve "io_timeout_ms=1500" --size 4M --no-scan --fault delay=700
before=$(times timeout)
dd if=/dev/zero of="$DISK" bs=4k count=4 oflag=direct status=none
same "one that is slow, but in time" "$before" "$(times timeout)"
unserve
# So many at once that each is answered soon after it is late, 64 times 17 ms: whenever the
# driver looks, some are late, and just being answered.
late() {
	within 60 fio --name=late --rw=randwrite --bs=4k --size=4M --number_ios=256 --verify=crc32c \
		--verify_state_save=0 --output="$WORK/fio" "$@"
}
serve "queues=1 io_timeout_ms=1000" --size 4M --no-scan --ram "$WORK/late" --fault delay=17
before=$(times timeout)
check "requests that are answered when they become late" late --filename="$DISK" --direct=1 --ioengine=libaio \
	--iodepth=64 --do_verify=0
check "some were told of" test "$(times timeout)" -gt "$before"
unserve
same "each was answered once, and no answer refused" "256 0" "$(counted write) $(counted rejected)"
check "all is where it belongs" late --filename="$WORK/late" --verify_only

serve "" --size 4M --no-scan
same "if nothing was said, there is no time-out" 0 "$(tap_value "$MINOR" io_timeout_ms)"
unserve

kill "$MONITOR"
reap "$MONITOR"
finish
