#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Whatever clients do, a disk keeps its pace and others get their answers.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client fio jq

LIST='{"jsonrpc":"2.0","id":1,"method":"list"}'

# again SOCKET MODE ARGUMENTS...: a client that comes back and back
again() {
	until [ -e "$WORK/stop" ]; do
		ctl_client "$@" || return 1
		sleep 0.2
	done
}

start() {
	background "$@"
	jobs+=("$JOB")
}

# crowd PID: all kinds of clients of this tapdisk
crowd() {
	local socket=$CONTROL/ctl$1
	jobs=()
	start ctl_client "$socket" slow "$LIST"
	start ctl_client "$socket" half
	start ctl_client "$socket" mute
	start ctl_client "$socket" deaf 100000
	start again "$socket" vanish "$LIST"
	start again "$socket" pipeline 200
	start again "$socket" crowd 100
}

refused_some=0
disperse() {
	local job
	touch "$WORK/stop"
	for job in "${jobs[@]:4}"; do
		reap "$job" && [ "$REAPED" = 0 ] || refused_some=1
	done
	for job in "${jobs[@]:0:4}"; do
		kill "$job" 2>/dev/null
		reap "$job"
	done
	rm "$WORK/stop"
}

other=$(tap-ctl spawn) || die "spawn"
create -a ram:16M
must dd if=/dev/urandom of="$DISK" bs=1M count=16 oflag=direct

# The same crowd takes the same of the machine, but is another tapdisk's.
slowest=0 kept=''
for _ in 1 2 3; do
	crowd "$other"
	elsewhere=$(iops 3)
	disperse
	crowd "$PID"
	background ctl_client "$CONTROL/ctl$PID" steady 3
	steady=$JOB
	here=$(iops 3)
	ends "a client among them gets every answer" 0 "$steady"
	disperse
	note "$(cat "$WORK/job.$steady")"
	note "IOPS: $elsewhere with the crowd elsewhere, $here with it here"
	slowest=$(sed -n 's/.*slowest_ms=//p' "$WORK/job.$steady")
	[ "$here" -le $((elsewhere / 2)) ] || kept=1
	[ -z "$kept" ] || [ "$slowest" -ge 1000 ] || break
done
check "each within a second: $slowest ms" test "$slowest" -lt 1000
same "the disk keeps more than half of its pace" 1 "$kept"
same "the crowd was served" 0 $refused_some
check "destroy" destroy
kill -TERM "$other"
wait_for 10 no_tapdisk

finish
