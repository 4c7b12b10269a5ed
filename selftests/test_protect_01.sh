#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk protects itself from a lack of memory; where it may not, it says so and serves.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl setpriv
TAPDISK=${TAPDISK:-/usr/libexec/blktap/tapdisk}
[ -x "$TAPDISK" ] || skip_all "needs $TAPDISK"

# Flags of a task, as /proc/PID/stat has them.
NOIO=0x80000 LOCAL_THROTTLE=0x100000
flags() { cut -d' ' -f9 "/proc/$1/stat"; }
has() { [ $(($(flags "$1") & $2)) -ne 0 ]; }
locked() { sed -n 's/^VmLck:[ \t]*\([0-9]*\) kB/\1/p' "/proc/$1/status"; }
limit() { awk -v name="$2" 'index($0, name) == 1 { print $(NF - 1) }' "/proc/$1/limits"; }
listens() { [ -S "$CONTROL/ctl$PID" ]; }

start() {
	background "$@" "$TAPDISK" -D
	PID=$JOB
	wait_for 20 listens || die "no tapdisk: $(cat "$WORK/job.$PID")"
}
stop() {
	kill -TERM "$PID"
	ends "$1" 0 "$PID"
}
complaints() { grep -c 'trouble is possible when memory is short' "$WORK/job.$PID"; }
complains() { grep -q "$1" "$WORK/job.$PID"; }

start env
same "it has nothing to complain of" 0 "$(complaints)"
check "its requests for memory wait for no I/O" has "$PID" $NOIO
check "and it writes back without being throttled" has "$PID" $LOCAL_THROTTLE
check "its memory is locked" test "$(locked "$PID")" -gt 1024
same "the OOM killer leaves it alone" -1000 "$(cat "/proc/$PID/oom_score_adj")"
same "its threads may be in a hurry" 1 "$(limit "$PID" "Max realtime priority")"
stop "it ends"

start setpriv --bounding-set=-sys_resource,-ipc_lock,-sys_nice --inh-caps=-sys_resource,-ipc_lock,-sys_nice \
	bash -c 'ulimit -l 64; exec "$@"' start
check "no oom_score_adj: it says so" complains 'oom_score_adj cannot be lowered'
check "no I/O flusher: it says so" complains 'cannot be marked as an I/O flusher'
check "no locked memory: it says so" complains 'memory cannot be locked'
check "no hurry: it says so" complains 'a real-time priority cannot be permitted'
image disk.img 4M
create_in "$PID" -a "aio:$IMAGE"
check "it serves nevertheless" dd if=/dev/zero of="$DISK" bs=1M count=4 oflag=direct
check "destroy" destroy
ends "and ends" 0 "$PID"

finish
