#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The events of a disk's life, in order and without gaps.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl
log_expect 'error,? (on )?dev(ice)? xen/blktap-2'

events() { sed -n 's/.* event=\([a-z-]*\) .*/\1/p' "$WORK/job.$monitor" | tr '\n' ' '; }
happened() { [ "$(events)" = "$1" ]; }

# expect EVENT...: exactly these events have come since the last call.
expect() {
	all+="$* "
	wait_for 10 happened "$all"
	same "events: $*" "$all" "$(events)"
}

all=''
background nl_tool events
monitor=$JOB
wait_for 10 grep -q listening "$WORK/job.$monitor"
image disk.img 1M

must tap-ctl allocate
expect allocated
pid=$(tap-ctl spawn)
must tap-ctl attach -p "$pid" -m 0
expect attached
must tap-ctl open -p "$pid" -m 0 -a "aio:$IMAGE"
expect disk-added
must tap-ctl close -p "$pid" -m 0
expect disk-removed
must tap-ctl detach -p "$pid" -m 0
expect detached
must tap-ctl free -m 0
expect freed

create -a "aio:$IMAGE"
expect allocated attached disk-added
kill -KILL "$PID"
expect daemon-lost
must tap-ctl free -m 0
expect disk-removed freed
rm -f "$CONTROL"/ctl*

serve "" --size 1M --resize 2M
expect allocated attached disk-added
kill -USR1 "$SERVER"
expect resized
check "the event tells the new capacity" \
	grep -q "event=resized minor=0 capacity=$((2 << 20))" "$WORK/job.$monitor"
unserve
expect disk-removed detached freed

gaps=$(sed -n 's/^seq=\([0-9]*\).*/\1/p' "$WORK/job.$monitor" |
	awk 'NR > 1 && $1 != last + 1 { n++ } { last = $1 } END { print n + 0 }')
same "numbered without gaps" 0 "$gaps"
kill "$monitor"
reap "$monitor"

finish
