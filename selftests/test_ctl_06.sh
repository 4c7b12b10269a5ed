#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tap-ctl monitor: every event, and the state of all when some were lost.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq

events() { sed -n "s/.* event=\([^ ]*\) minor=$1.*/\1/p" "$WORK/job.$monitor" | tr '\n' ' '; }
seen() { grep -q "$1" "$WORK/job.$monitor"; }
# It says nothing before its first event.
listens() { grep -q "$1" "/proc/net/netlink" && [ -n "$(awk -v pid="$1" '$3 == pid && $4 != "00000000"' /proc/net/netlink)" ]; }

must tap-ctl allocate -m 5000
background tap-ctl monitor
monitor=$JOB
wait_for 10 listens "$monitor"
background tap-ctl monitor -m 1 --json
one=$JOB
wait_for 10 listens "$one"
image disk.img 8M
create -a "aio:$IMAGE" -m 0
must tap-ctl resize -p "$PID" -m 0 -s 16M
check "destroy" destroy
create -a ram:1M -m 1
kill -KILL "$PID"
wait_for 10 no_tapdisk
wait_for 10 tap-ctl free -m 1
check "the last event has come" wait_for 10 seen 'event=freed minor=1'
same "the life of a disk" "allocated attached disk-added resized disk-removed detached freed " "$(events 0)"
check "a tapdisk that is killed: $(events 1)" grep -Eq '^allocated attached disk-added .*daemon-lost.*freed $' <<<"$(events 1)"
same "each line has its time and number" "" \
	"$(grep -Ev '^time=[0-9-]+T[0-9:.]+Z seq=[0-9]+ event=[a-z-]+ minor=[0-9]+( |$)' "$WORK/job.$monitor")"
same "no number is left out" "" \
	"$(sed 's/.*seq=\([0-9]*\).*/\1/' "$WORK/job.$monitor" | awk 'NR > 1 && $1 != last + 1; { last = $1 }')"
same "-m and --json: only that one" '[1]' "$(jq -sc 'map(.minor) | unique' "$WORK/job.$one")"
same "the same events" "$(events 1)" "$(jq -r .event "$WORK/job.$one" | tr '\n' ' ')"
rm -f "$CONTROL"/ctl*

kill -STOP "$monitor"
must nl_tool fill 2000
must nl_tool drain 2000
kill -CONT "$monitor"
check "when events were lost it says so" wait_for 10 seen 'event=lost'
check "and tells what there is" wait_for 10 seen 'event=state minor=5000 '
check "free" tap-ctl free -m 5000
check "then it goes on" wait_for 10 seen 'event=freed minor=5000'
kill -TERM "$monitor" "$one"
ends "SIGTERM is no failure" 0 "$monitor"
ends "nor for the other" 0 "$one"
same "a reader that goes away is none, either" 0 \
	"$(tap-ctl allocate >"$WORK/x"; (tap-ctl monitor; echo $? >"$WORK/status") | (sleep 0.5; tap-ctl free -m 0; head -n 1 >"$WORK/x"); cat "$WORK/status")"

background tap-ctl monitor
monitor=$JOB
wait_for 10 listens "$monitor"
check "the module is removed" wait_for 10 rmmod blktap
ends "then it does not wait forever" 38 "$monitor"
must modprobe blktap

finish
