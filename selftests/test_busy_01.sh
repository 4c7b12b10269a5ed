#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is open or mounted cannot be closed or freed; -t waits.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

image disk.img 8M
create -a "aio:$IMAGE"
exec 8<"$DISK"
start=$SECONDS
refused "close while open" 16 'tapdev0|open' tap-ctl close -p "$PID" -m 0
check "after a short grace" test $((SECONDS - start)) -le $((10 * SLOWNESS))
refused "destroy while open" 16 'tapdev0|open' destroy
refused "free while open" 16 '.' tap-ctl free -m 0
same "all is as before" "pid=$PID minor=0 state=0 args=aio:$IMAGE" "$(tap-ctl list)"
check "and serves" dd if="$DISK" of=/dev/null bs=1M iflag=direct
same "the opener is counted" 1 "$(tap_value 0 openers)"

start=$SECONDS
refused "close -t 4 gives up after its time" 16 '.' tap-ctl close -p "$PID" -m 0 -t 4
check "and not before" test $((SECONDS - start)) -ge 3

background tap-ctl close -p "$PID" -m 0 -t 60
closer=$JOB
sleep 3
check "close -t 60 waits longer than the grace" kill -0 "$closer"
check "the tapdisk answers meanwhile" tap-ctl list -p "$PID"
exec 8<&-
ends "and succeeds at the last close" 0 "$closer"
same "closed" "pid=$PID minor=0 state=0x2" "$(tap-ctl list)"
check "destroy" destroy

create -a "aio:$IMAGE"
background sh -c "exec 7<'$DISK'; echo open; sleep 1"
probe=$JOB
wait_for 5 grep -q open "$WORK/job.$probe"
check "the grace outlives a short probe" destroy
ends "the probe" 0 "$probe"

finish
