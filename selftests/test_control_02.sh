#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Whatever clients do, a disk keeps its pace and others get their answers.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client fio jq

LIST='{"jsonrpc":"2.0","id":1,"method":"list"}'

# again MODE ARGUMENTS...: a client that comes back and back
again() {
	until [ -e "$WORK/stop" ]; do
		ctl_client "$CONTROL/ctl$PID" "$@" || return 1
		sleep 0.2
	done
}

create -a ram:16M
must dd if=/dev/urandom of="$DISK" bs=1M count=16 oflag=direct
alone=$(iops 3)

jobs=()
start() {
	background "$@"
	jobs+=("$JOB")
}
client() { ctl_client "$CONTROL/ctl$PID" "$@"; }
start client slow "$LIST"
start client half
start client mute
start client deaf 100000
start again vanish "$LIST"
start again pipeline 200
start again crowd 100
background ctl_client "$CONTROL/ctl$PID" steady 4
steady=$JOB
crowded=$(iops 4)
ends "a client among them gets every answer" 0 "$steady"
slowest=$(sed -n 's/.*slowest_ms=//p' "$WORK/job.$steady")
note "$(cat "$WORK/job.$steady")"
check "each within a second: $slowest ms" test "$slowest" -lt 1000
note "IOPS: $alone alone, $crowded with the crowd"
check "the disk keeps more than half of its pace" test "$crowded" -gt $((alone / 2))

touch "$WORK/stop"
for job in "${jobs[@]:4}"; do
	ends "the crowd was served" 0 "$job"
done
for job in "${jobs[@]:0:4}"; do
	kill "$job" 2>/dev/null
	reap "$job"
done
check "destroy" destroy

finish
