#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The announced session, as a script sees it: the form of pipes.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

image lenny.ext 16M

same "allocate" "$NODES/tapdev0" "$(tap-ctl allocate)"
same "list: a tap alone" "minor=0" "$(tap-ctl list)"
pid=$(tap-ctl spawn)
check "spawn prints the pid of a tapdisk" grep -qx tapdisk "/proc/$pid/comm"
same "list: both" "pid=$pid"$'\n'"minor=0" "$(tap-ctl list)"
check "attach" tap-ctl attach -p "$pid" -m 0
same "list: attached" "pid=$pid minor=0 state=0" "$(tap-ctl list)"
same "the ring's task in sysfs is the tapdisk" "$pid" \
	"$(cat '/sys/class/blktap2/xen!blktap-2!blktap0/task')"
check "open" tap-ctl open -p "$pid" -m 0 -a "aio:$IMAGE"
same "list: open" "pid=$pid minor=0 state=0 args=aio:$IMAGE" "$(tap-ctl list)"
same "the disk has the image's size" $((16 << 20)) "$(blockdev --getsize64 "$NODES/tapdev0")"
check "close" tap-ctl close -p "$pid" -m 0
same "list: closed" "pid=$pid minor=0 state=0x2" "$(tap-ctl list)"
check "close again is no error" tap-ctl close -p "$pid" -m 0
check "open again" tap-ctl open -p "$pid" -m 0 -a "aio:$IMAGE"
same "list: open again" "pid=$pid minor=0 state=0 args=aio:$IMAGE" "$(tap-ctl list)"
check "close" tap-ctl close -p "$pid" -m 0
check "detach" tap-ctl detach -p "$pid" -m 0
check "the tapdisk ends with its last VBD" wait_for 10 no_tapdisk
same "its socket is gone" "" "$(control_sockets)"
same "list: the tap" "minor=0" "$(tap-ctl list)"
check "free" tap-ctl free -m 0
same "list: nothing" "" "$(tap-ctl list)"
check_not "the ring node is gone" test -e "$NODES/blktap0"

finish
