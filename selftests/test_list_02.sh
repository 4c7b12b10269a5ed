#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# list while tapdisks are spawned, attached, detached, and killed.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

ROUNDS=10
# step_by_step MINOR: one line for each state between nothing and open
step_by_step() {
	local i pid
	for ((i = 0; i < ROUNDS; i++)); do
		tap-ctl allocate -m "$1" && pid=$(tap-ctl spawn) && tap-ctl attach -p "$pid" -m "$1" &&
			tap-ctl open -p "$pid" -m "$1" -a ram:1M && tap-ctl close -p "$pid" -m "$1" &&
			tap-ctl detach -p "$pid" -m "$1" && tap-ctl free -m "$1" || return 1
	done
}

gone() { [ ! -e "/proc/$1" ]; }
killed() {
	local i pid
	for ((i = 0; i < ROUNDS; i++)); do
		tap-ctl allocate -m "$1" && pid=$(tap-ctl spawn) && tap-ctl attach -p "$pid" -m "$1" || return 1
		kill -KILL "$pid"
		wait_for 10 gone "$pid" && tap-ctl free -m "$1" || return 1
	done
}

# well_formed FILE: each line is one, pids ascend and minors within them, taps
# without a tapdisk come last, and no minor twice
well_formed() {
	awk '
	!/^(pid=[0-9]+( minor=[0-9]+( state=0(x2)?( args=ram:1M)?)?)?|minor=[0-9]+)$/ { print "odd: " $0; bad = 1 }
	{ pid = 1e9; minor = -1
	  for (i = 1; i <= NF; i++) { split($i, w, "="); if (w[1] == "pid") pid = w[2] + 0; if (w[1] == "minor") minor = w[2] + 0 }
	  if (pid < last_pid || (pid == last_pid && minor <= last_minor)) { print "out of order: " $0; bad = 1 }
	  if (minor >= 0 && seen[minor]++) { print "twice: " $0; bad = 1 }
	  last_pid = pid; last_minor = minor }
	END { exit bad }' "$1"
}

watch_list() {
	local count=0 minor
	while [ ! -e "$WORK/stop" ]; do
		tap-ctl list >"$WORK/seen" || { echo "list: status $?"; return 1; }
		well_formed "$WORK/seen" || { cat "$WORK/seen"; return 1; }
		for minor in 0 1; do
			grep -q "^pid=$steady minor=$minor state=0 args=ram:1M$" "$WORK/seen" ||
				{ echo "minor $minor is missing:"; cat "$WORK/seen"; return 1; }
		done
		count=$((count + 1))
	done
	echo "lists=$count"
}

create -a ram:1M
steady=$PID
must tap-ctl allocate
must tap-ctl attach -p "$PID" -m 1
must tap-ctl open -p "$PID" -m 1 -a ram:1M
background watch_list
watcher=$JOB
jobs=()
background step_by_step 2
jobs+=("$JOB")
background step_by_step 3
jobs+=("$JOB")
background killed 4
jobs+=("$JOB")
for job in "${jobs[@]}"; do
	ends "they come and go" 0 "$job" 150
done
touch "$WORK/stop"
ends "list was right all the time" 0 "$watcher"
note "$(cat "$WORK/job.$watcher")"
must tap-ctl close -p "$PID" -m 1
must tap-ctl detach -p "$PID" -m 1
must tap-ctl free -m 1
check "destroy" destroy
rm -f "$CONTROL"/ctl*

finish
