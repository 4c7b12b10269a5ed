#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk that ends while its disk is paused.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client jq
log_expect_errors

gone() { [ ! -e "/proc/$1" ]; }
image disk.img 8M
create --on-death=fail -a "aio:$IMAGE"

same "pause" 0 "$(rpc_errno pause '{"minor":0}')"
background dd if="$DISK" of=/dev/null bs=64k count=4 iflag=direct
reader=$JOB
check "a reader waits" wait_for 10 blocked "$reader"
kill -KILL "$PID"
check "the tapdisk is gone" wait_for 10 gone "$PID"
check "the reader still waits: the disk is held, whatever --on-death says" test -e "/proc/$reader"
same "list: the tap alone" "minor=0" "$(tap-ctl list)"
PID=$(tap-ctl spawn) || die "spawn"
check "another one takes the disk over" tap-ctl attach -p "$PID" -m 0
check "and opens its image" tap-ctl open -p "$PID" -m 0 -a "aio:$IMAGE"
same "the state" 0 "$(state)"
ends "the reader goes on" 0 "$reader"
check "it reads" dd if="$DISK" of=/dev/null bs=64k iflag=direct

same "pause" 0 "$(rpc_errno pause '{"minor":0}')"
background dd if="$DISK" of=/dev/null bs=64k count=4 iflag=direct
reader=$JOB
check "a reader waits" wait_for 10 blocked "$reader"
kill -TERM "$PID"
same "SIGTERM does not end it while the disk is open" 0x2a "$(state)"
same "it can still be unpaused" 0 "$(rpc_errno unpause '{"minor":0}')"
ends "the reader goes on" 0 "$reader"
check "then the tapdisk leaves" wait_for 15 gone "$PID"
check "free" tap-ctl free -m 0

create -a "aio:$IMAGE"
same "pause" 0 "$(rpc_errno pause '{"minor":0}')"
kill -TERM "$PID"
check "SIGTERM ends one that nobody has open" wait_for 15 gone "$PID"
check "free" tap-ctl free -m 0

finish
