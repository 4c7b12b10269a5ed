#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk protects itself from a lack of memory, and so does the supervisor; where it may
# not, it says so and serves.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl setpriv
TAPDISK=${TAPDISK:-/usr/libexec/blktap/tapdisk}
[ -x "$TAPDISK" ] || skip_all "needs $TAPDISK"

# Flags of a task, as /proc/PID/stat has them.
NOIO=0x80000 LOCAL_THROTTLE=0x100000
flags() { sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f7; }
# has PID FLAG: in all of its threads
has() {
	local task
	for task in "/proc/$1/task/"*; do
		[ $(($(flags "$1/task/${task##*/}") & $2)) -ne 0 ] || return
	done
}
locked() { sed -n 's/^VmLck:[ \t]*\([0-9]*\) kB/\1/p' "/proc/$1/status"; }
uid() { sed -n 's/^Uid:\t\([0-9]*\)\t.*/\1/p' "/proc/$1/status"; }
limit() { awk -v name="$2" 'index($0, name) == 1 { print $(NF - 1) }' "/proc/$1/limits"; }
listens() { [ -S "$CONTROL/ctl$PID" ]; }
says() { grep -q "$1" "$WORK/job.$PID"; }

start() {
	background "$@"
	PID=$JOB
	wait_for 20 listens || die "no tapdisk: $(cat "$WORK/job.$PID")"
}
stop() {
	kill -TERM "$PID"
	ends "$1" 0 "$PID"
}
complaints() { grep -c 'trouble is possible when memory is short' "$WORK/job.$PID"; }

# protected WHO: PID is
protected() {
	same "$1 has nothing to complain of" 0 "$(complaints)"
	check "its requests for memory wait for no I/O" has "$PID" $NOIO
	check "and it writes back without being throttled" has "$PID" $LOCAL_THROTTLE
	check "its memory is locked" test "$(locked "$PID")" -gt 1024
	same "the OOM killer leaves it alone" -1000 "$(cat "/proc/$PID/oom_score_adj")"
	same "its threads may be in a hurry" 1 "$(limit "$PID" "Max realtime priority")"
}

start "$TAPDISK" -D
protected "a tapdisk"
stop "it ends"

# One that becomes another user keeps all of that, while it serves, too.
background "$TAPDISK" -D --user nobody
PID=$JOB
if wait_for 20 listens; then
	create_in "$PID" -a ram:4M --kernel-io=off
	check "a tapdisk of another user: it serves" dd if=/dev/zero of="$DISK" bs=1M count=4 oflag=direct
	same "it is another one" "$(id -u nobody)" "$(uid "$PID")"
	check "and has several threads" [ "$(find "/proc/$PID/task" -mindepth 1 -maxdepth 1 | wc -l)" -gt 1 ]
	protected "a tapdisk of another user"
	check "destroy" destroy
	ends "it ends" 0 "$PID"
	must tap-ctl list	# sweeps its socket, which it may not remove
elif says AddressSanitizer; then
	reap "$PID"
	skip "a tapdisk of another user" "not with AddressSanitizer"
else
	die "no tapdisk: $(cat "$WORK/job.$PID")"
fi

background "$(type -P tap-ctl)" supervise
PID=$JOB
check "a supervisor" wait_for 20 says watching
protected "the supervisor"
stop "it ends"

start setpriv --bounding-set=-sys_resource,-ipc_lock,-sys_nice --inh-caps=-sys_resource,-ipc_lock,-sys_nice \
	bash -c 'ulimit -l 64; exec "$@"' start "$TAPDISK" -D
check "no oom_score_adj: it says so" says 'oom_score_adj cannot be lowered'
check "no I/O flusher: it says so" says 'cannot be marked as an I/O flusher'
check "no locked memory: it says so" says 'memory cannot be locked'
check "no hurry: it says so" says 'a real-time priority cannot be permitted'
image disk.img 4M
create_in "$PID" -a "aio:$IMAGE"
check "it serves nevertheless" dd if=/dev/zero of="$DISK" bs=1M count=4 oflag=direct
check "destroy" destroy
ends "and ends" 0 "$PID"

finish
