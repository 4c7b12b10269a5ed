#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# SIGTERM: an idle tapdisk leaves, a serving one stays until the last close.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

gone() { [ ! -e "/proc/$1" ]; }

pid=$(tap-ctl spawn) || die "spawn"
check "a fresh tapdisk stays" sleep 1
check "and answers" test "$(tap-ctl list)" = "pid=$pid"
kill -TERM "$pid"
check "SIGTERM ends it" wait_for 10 gone "$pid"
same "with its socket" "" "$(control_sockets)"

image disk.img 8M
create -a "aio:$IMAGE"
exec 8<"$DISK"
kill -TERM "$PID"
sleep 0.5
check "with its disk open it stays after SIGTERM" test -e "/proc/$PID"
check "and serves" dd if=/dev/zero of="$DISK" oflag=direct bs=64k count=16
check "and is listed" test "$(pid_of 0)" = "$PID"
check "it can be paused" tap-ctl pause -p "$PID" -m 0
check "and unpaused" tap-ctl unpause -p "$PID" -m 0
check "and replaced" take_over
check "by one that serves" dd if=/dev/zero of="$DISK" oflag=direct bs=64k count=16
sleep 0.5
check "and has not been told to leave" test "$(pid_of 0)" = "$PID"
kill -TERM "$PID"
sleep 0.5
check "until it is told" dd if=/dev/zero of="$DISK" oflag=direct bs=64k count=16
exec 8<&-
check "it leaves at the last close" wait_for 15 gone "$PID"
same "list: the tap" "minor=0" "$(tap-ctl list)"
check "free" tap-ctl free -m 0

finish
