#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An image on a server that is dead: its disk waits, and nobody else does.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client fuse_hang fio jq
modprobe -q fuse
[ -c /dev/fuse ] || skip_all "needs /dev/fuse"

COUNT=20
truncate -s 16M "$WORK/backing"
hanging -n "$WORK/backing"

# opened MINOR TIMEOUT_MS: what the answer to opening the hanging image is
open_hanging() { rpc_errno open "{\"minor\":$1,\"image\":\"aio:$WORK/fuse/image$2\",\"timeout_ms\":$3}"; }
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# A disk of a tapdisk without a care: both at the same time, so that whatever else
# the machine does counts for both.
create -a ram:16M
free_disk=$DISK free_minor=$MINOR free_pid=$PID
create -a ram:16M
for ((i = 1; i <= COUNT + 2; i++)); do
	must tap-ctl allocate -m $((i + 1))
	must tap-ctl attach -p "$PID" -m $((i + 1))
done

start=$(milliseconds)
same "an open with a limit of 1 s gives up: ETIMEDOUT" 110 "$(open_hanging 2 0 1000)"
took=$(($(milliseconds) - start))
check "after its time: $took ms" test $took -ge 900 -a $took -le 4000
check "the file system was asked" held lookup 1
same "the VBD is as before" "pid=$PID minor=2 state=0" "$(tap-ctl list -m 2)"

jobs=()
for ((i = 1; i <= COUNT; i++)); do
	background open_hanging $((i + 1)) "$i" 600000
	jobs+=("$JOB")
done
all_hang() { [ "$(rpc list | jq '[.result.vbds[] | select(.image)] | length')" = 1 ] && held lookup $((COUNT + 1)); }
check "$COUNT opens hang" wait_for 20 all_hang

check "another image can be opened" tap-ctl open -p "$PID" -m $((COUNT + 2)) -a ram:4M
check "and read" dd if="$NODES/tapdev$((COUNT + 2))" of=/dev/null bs=1M iflag=direct
check "and closed" tap-ctl close -p "$PID" -m $((COUNT + 2))
image disk.img 4M
check "one in a file as well" tap-ctl open -p "$PID" -m $((COUNT + 3)) -a "aio:$IMAGE"
check "and closed" tap-ctl close -p "$PID" -m $((COUNT + 3))
background ctl_client "$CONTROL/ctl$PID" steady 3
steady=$JOB
for _ in 1 2 3; do
	DISK=$free_disk background iops 3
	crowded=$(iops 3)
	reap "$JOB"
	elsewhere=$(cat "$WORK/job.$JOB")
	note "IOPS: $elsewhere elsewhere, $crowded beside opens that hang"
	[ "$crowded" -le $((elsewhere / 2)) ] || break
done
ends "others get their answers" 0 "$steady"
slowest=$(sed -n 's/.*slowest_ms=//p' "$WORK/job.$steady")
check "each within a second: $slowest ms" test "$slowest" -lt 1000
check "a disk of the same tapdisk has more than half the pace" test "$crowded" -gt $((elsewhere / 2))
same "a hanging VBD is busy: detach" 16 "$(rpc_errno detach '{"minor":2}')"

kill -KILL "${jobs[0]}"
reap "${jobs[0]}"
check "the tapdisk outlives a client that is killed" rpc version

answer
for ((i = 2; i <= COUNT; i++)); do
	reap "${jobs[i - 1]}"
done
# All are the same file system, but files of their own: each gets its lock.
listed() { [ "$(rpc list | jq '[.result.vbds[] | select(.image.type == "aio")] | length')" = "$1" ]; }
check "when the server answers again, all are opened" wait_for 20 listed $COUNT
check "and can be read" dd if="$NODES/tapdev$((COUNT + 1))" of=/dev/null bs=64k count=16 iflag=direct
for ((i = 1; i <= COUNT + 2; i++)); do
	must tap-ctl close -p "$PID" -m $((i + 1))
	must tap-ctl detach -p "$PID" -m $((i + 1))
	must tap-ctl free -m $((i + 1))
done
let_go
check "destroy" destroy
check "destroy the other" tap-ctl destroy -p "$free_pid" -m "$free_minor"

finish
