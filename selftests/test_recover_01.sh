#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk is killed, stopped, crashes or dies while a disk is checked: it is recovered,
# and nobody gets an error.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/deaths.sh"
setup tap-ctl fio jq
deaths_setup
slow_disk 60 || skip_all "needs brd and dm-delay"

# recover [OPTION...]: DISK's new tapdisk becomes PID.
recover() {
	tap-ctl recover -m "$MINOR" "$@" || return
	PID=$(pid_of "$MINOR")
}
# by_hand: the same, step by step. Nobody waits for the image then.
by_hand() {
	wait_for 10 job_gone "$PID" && PID=$(tap-ctl spawn) && tap-ctl attach -p "$PID" -m "$MINOR" &&
		tap-ctl open -p "$PID" -m "$MINOR" -a "aio:$SLOW" --kernel-io="$mode"
}
told() { tap-ctl info --json -m "$MINOR" | jq -r ".$1"; }
is_held() { [ "$(told recovery)" = held ]; }
# lost SIGNAL: the tapdisk dies
lost() {
	must kill "-$1" "$PID"
	check "SIG$1: the disk is held" wait_for 10 is_held
}

# With requests in hand where the kernel does most I/O; for mode off there is test_recover_04.
for mode in auto redirect; do
	create -a "aio:$SLOW" --kernel-io=$mode --queues 2 --hold-time 120
	load --filename="$DISK" "${VERIFY[@]}" --size=12M "${SYNC[@]}" --offset=14M
	for how in recover by_hand; do
		old=$PID
		dies $mode
		check "$mode: the disk is held" wait_for 10 is_held
		check "$mode: $how" "$how"
		check "another tapdisk has it" test "$PID" != "$old"
		check "and has been given what the first had" died $mode
	done
	case $mode in
	redirect) check "redirects are in use" wait_for 20 counts 'ios_redirect > 20 and .ios_extent == 0' ;;
	auto) check "extents are in use" wait_for 20 counts 'ios_extent > 20' ;;
	esac
	load_ends "$mode: fio verify sees no error"
	check "$mode: destroy" destroy
done
deaths_told redirect auto
check "the image is free" wait_for 10 slow_disk_gone

image disk.img 16M
create -a "aio:$IMAGE" --queues 2 --hold-time 120
check "it is on record" test "$(jq -r .image "$CONTROL/tap$MINOR.json")" = "aio:$IMAGE"
refused "a healthy tapdisk keeps its disk" 16 'answers' tap-ctl recover -m "$MINOR"

background fio --name=verify --filename="$DISK" --rw=randrw --bs=4k-64k --direct=1 --ioengine=libaio --iodepth=16 \
	--size=16M --io_size=32M --rate=3M --verify=crc32c --verify_backlog=32 --do_verify=1 --output="$WORK/fio"
fio=$JOB
for signal in KILL SEGV; do
	old=$PID
	lost $signal
	same "who had it is told" "$old" "$(told record.pid)"
	check "and the time that is left" test "$(told hold_left_ms)" -gt 0
	same "list --json says it, too" held "$(tap-ctl list --json -m "$MINOR" | jq -r '.[0].recovery')"
	check "recover" recover
	check "another tapdisk has it" test "$PID" != "$old"
done

must kill -STOP "$PID"
old=$PID
tap-ctl recover -m "$MINOR" >"$WORK/recovered" 2>"$WORK/told"
same "recover one that is stopped" 0 $?
same "says whose it was" "tap-ctl: tapdisk $old was killed" "$(cat "$WORK/told")"
same "and which disk" "$DISK" "$(cat "$WORK/recovered")"
check "that one is dead" wait_for 5 job_gone "$old"
PID=$(pid_of "$MINOR")

old=$PID
check "recover -f one that is well" recover -f
check "that one is dead, too" wait_for 5 job_gone "$old"

# By a tapdisk that is there already.
spare=$(tap-ctl spawn)
lost KILL
check "recover -p" recover -p "$spare"
same "uses that one" "$spare" "$PID"

# All or nothing.
lost KILL
refused "no such tapdisk" 2 99999 tap-ctl recover -m "$MINOR" -p 99999
image small.img 8M
refused "an image of another size" 124 'has 16777216 bytes' tap-ctl recover -m "$MINOR" -a "aio:$IMAGE"
refused "no such image" 2 'absent' tap-ctl recover -m "$MINOR" -a aio:/absent
check "leave it held" is_held
check "and no tapdisk behind" wait_for 5 no_tapdisk
must mv "$CONTROL/tap$MINOR.json" "$WORK/record"
refused "without a record" 2 'no record' tap-ctl recover -m "$MINOR"
check "the image can be named" recover -a "aio:$WORK/disk.img"
ends "fio verify sees no error" 0 "$fio" 120
check "destroy" destroy
check_not "and its record is gone" test -e "$CONTROL/tap$MINOR.json"

# A disk that was paused may have an image in other hands.
create -a "aio:$WORK/small.img"
must tap-ctl pause -p "$PID" -m "$MINOR"
lost KILL
refused "a paused disk needs a word" 16 'paused' tap-ctl recover -m "$MINOR"
check "which is an image" recover -a "aio:$WORK/small.img"
check "destroy" destroy

finish
