#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The supervisor: there is one, it can be killed, and it does not try in vain too often.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq
log_expect_errors

reader() { background dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct; }
served() { [ -n "$(pid_of "$MINOR")" ]; }
is() { [ "$(tap-ctl info --json -m "$MINOR" | jq -r .recovery)" = "$1" ]; }
tries() { grep -c "not recovered" "$WORK/job.$SUPERVISOR"; }

background "$(type -P tap-ctl)" supervise
SUPERVISOR=$JOB
check "it runs" wait_for 5 supervisor_runs
refused "there is but one" 17 'already' tap-ctl supervise
image disk.img 4M
create -a "aio:$IMAGE" --restart
image other.img 4M
unsupervised=$(tap-ctl create -a "aio:$IMAGE")
unsupervised=${unsupervised##*tapdev}
must kill -KILL "$PID" "$(pid_of "$unsupervised")"
reader
ends "a reader has no error" 0 "$JOB" 20
check "it says so" wait_for 5 grep -q "tapdev$MINOR: recovered" "$WORK/job.$SUPERVISOR"
same "a disk that is not to be restarted waits" "" "$(pid_of "$unsupervised")"
check "until somebody comes" tap-ctl recover -m "$unsupervised"
must tap-ctl destroy -p "$(pid_of "$unsupervised")" -m "$unsupervised"

# A tapdisk dies while there is no supervisor.
must kill -KILL "$SUPERVISOR"
reap "$SUPERVISOR"
must kill -KILL "$(pid_of "$MINOR")"
check "nobody recovers it" wait_for 10 is held
background "$(type -P tap-ctl)" supervise
SUPERVISOR=$JOB
check "the next supervisor does" wait_for 20 served

# An image that is not there for a while.
must mv "$WORK/disk.img" "$WORK/away.img"
must kill -KILL "$(pid_of "$MINOR")"
reader
sleep 8
count=$(tries)
check "it tries again, less and less often: $count times in 8 s" test "$count" -ge 2 -a "$count" -le 4
must mv "$WORK/away.img" "$WORK/disk.img"
check "in the end it succeeds" wait_for 20 served
ends "and the reader has no error" 0 "$JOB" 20
check "no failure has left a tapdisk" test "$(tapdisks | wc -l)" = 1

# A disk that is paused is not its business.
PID=$(pid_of "$MINOR")
must tap-ctl pause -p "$PID" -m "$MINOR"
must kill -KILL "$PID"
check "a paused disk is held" wait_for 10 is held
sleep 1
check "and left alone" is held
check "until somebody comes" tap-ctl recover -m "$MINOR" -a "aio:$WORK/disk.img"
PID=$(pid_of "$MINOR")
must kill -TERM "$SUPERVISOR"
ends "it ends when it is told to" 0 "$SUPERVISOR"

# Killed, and started by the next one who wants it.
check "destroy" destroy
create -a "aio:$WORK/disk.img" --restart
check "create --restart starts one" wait_for 5 supervisor_runs
must kill -KILL "$(supervisors)"
wait_for 5 no_supervisor
second=$(tap-ctl create -a ram:4M --restart)
second=${second##*tapdev}
check "so does the next" wait_for 5 supervisor_runs
must kill -KILL "$(pid_of "$MINOR")"
check "it cares for what was there before" wait_for 20 served
must tap-ctl destroy -p "$(pid_of "$second")" -m "$second"
PID=$(pid_of "$MINOR")
check "destroy" destroy
check "it ends when it is told to" supervisor_ends

finish
