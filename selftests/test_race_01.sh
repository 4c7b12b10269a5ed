#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# list is right while tapdisks come and go.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

# Both jobs say what went wrong, and fail.
come_and_go() {
	local i disk minor pid
	for ((i = 0; i < 8; i++)); do
		disk=$(tap-ctl create -a "ram:1M") || return 1
		minor=${disk##*tapdev}
		pid=$(pid_of "$minor")
		[ -n "$pid" ] || { echo "minor $minor is not listed"; return 1; }
		tap-ctl destroy -p "$pid" -m "$minor" || return 1
	done
}

watch_list() {
	local line
	while [ ! -e "$WORK/stop" ]; do
		tap-ctl list >"$WORK/seen" || { echo "list: status $?"; return 1; }
		grep -q "^pid=$steady minor=0 state=0 args=ram:1M$" "$WORK/seen" ||
			{ echo "the steady disk is missing:"; cat "$WORK/seen"; return 1; }
		line=$(grep -Ev '^(pid=[0-9]+)?( ?minor=[0-9]+)?( state=[0-9a-fx]+)?( args=ram:1M)?$' "$WORK/seen")
		[ -z "$line" ] || { echo "odd line: $line"; return 1; }
	done
}

create -a ram:1M
steady=$PID
background watch_list
watcher=$JOB
background come_and_go
first=$JOB
background come_and_go
second=$JOB
ends "disks come and go" 0 "$first" 120
ends "more of them" 0 "$second" 120
touch "$WORK/stop"
ends "list was right all the time" 0 "$watcher"
check "destroy" destroy
rm -f "$CONTROL"/ctl*

finish
