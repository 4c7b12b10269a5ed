#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk dies while its storage does not answer: whoever watches is told what all wait
# for, requests fail at their time, and the disk is recovered when the storage answers.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq dmsetup
log_expect_errors
log_expect 'no daemon for'

{ ram_disk 16M && modprobe -q dm-mod; } || skip_all "needs brd and dm-mod"
STORE=/dev/mapper/blktap-stuck
must dmsetup create blktap-stuck --noudevsync --table "0 32768 linear $RAM 0"
must dmsetup mknodes blktap-stuck

at() { grep -n " event=$1 minor=$MINOR" "$WORK/job.$MONITOR" | cut -d: -f1; }
times() { at "$1" | wc -l; }
happened() { [ "$(times "$1")" -ge "${2:-1}" ]; }
# in_storage: a thread of the old tapdisk waits; the first one is a zombie meanwhile.
in_storage() { grep -q '^State:[[:space:]]*D' "/proc/$OLD/task"/*/status; }
has_request() { tap-ctl stats -p "$PID" -m "$MINOR" | jq -e '.reqs_outstanding >= 1'; }

# dies MODE OPTION...: a tapdisk with a write under way in storage that has stopped.
dies() {
	local mode=$1
	create -a "aio:$STORE" --kernel-io="$mode" "${@:2}"
	same "$1 $2: in use" "$mode" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
	listen
	must dmsetup suspend --noflush --nolockfs blktap-stuck
	background dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
	WRITER=$JOB
	check "$1 $2: a write waits" wait_for 10 waiting 1
	[ "$mode" != off ] || must wait_for 10 has_request
	sleep 0.5
	must kill -KILL "$PID"
	OLD=$PID
}

# lives_on TEXT: the storage answers.
lives_on() {
	must dmsetup resume --noudevsync blktap-stuck
	check "$1: the old tapdisk is gone" wait_for 10 happened daemon-lost
	check "$1: the disk is recovered" within 30 tap-ctl recover -m "$MINOR"
	PID=$(pid_of "$MINOR")
	check "$1: and works" dd if=/dev/zero of="$DISK" bs=4k count=1 seek=9 oflag=direct
	same "$1: nobody waits" 0 "$(tap_value "$MINOR" recovery)"
	kill "$MONITOR"
	reap "$MONITOR"
	check "$1: destroy" destroy
}

for mode in off redirect auto; do
	dies $mode --hold-time=2
	check "$mode: the hold time ends" wait_for 20 happened hold-expired
	check "$mode: and somebody tells what all wait for" wait_for 10 happened stuck
	check "$mode: in this order" test "$(at hold-expired)" -lt "$(at stuck | tail -n 1)"
	check_not "$mode: a new write fails" within 10 dd if=/dev/zero of="$DISK" bs=4k count=1 seek=5 oflag=direct
	if [ $mode = off ]; then
		fails "$mode: so does the one that was under way" "$WRITER"
		check "$mode: its tapdisk waits for the storage" in_storage
	else
		check "$mode: what the kernel does waits for the storage" blocked "$WRITER"
		check_not "$mode: and not the tapdisk" in_storage
	fi
	lives_on $mode
	[ $mode = off ] || ends "$mode: the write went through" 0 "$WRITER"
done

dies auto --on-death=fail
check "on-death=fail: somebody tells what all wait for" wait_for 10 happened stuck
same "on-death=fail: no hold time ends" 0 "$(times hold-expired)"
lives_on on-death=fail
ends "on-death=fail: the write went through" 0 "$WRITER"

dies off --hold-time=0
check "hold-time=0: somebody tells what all wait for" wait_for 20 happened stuck
check "hold-time=0: again and again" wait_for 10 happened stuck 2
same "hold-time=0: no hold time ends" 0 "$(times hold-expired)"
lives_on hold-time=0
ends "hold-time=0: the write went through" 0 "$WRITER"

must dmsetup remove --noudevsync blktap-stuck
finish
