#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A takeover in which one of the two goes, or stops, or does not play by the rules: the
# disk is always with exactly one, and its users see nothing of it.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/deaths.sh"
setup tap-ctl ctl_client fio jq
deaths_setup

# Steps of a takeover, by a client that is no tapdisk and stays at the last one.
lines() {
	local method
	for method; do
		echo "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$method\",\"params\":{\"minor\":$MINOR}}"
	done >"$WORK/lines"
	background ctl_client "$CONTROL/ctl$PID" linger "$WORK/lines"
	CLIENT=$JOB
	wait_for 10 answered $#
}
answered() { [ "$(grep -c '"result"' "$WORK/job.$CLIENT")" = "$1" ]; }
leave() {
	kill -KILL "$CLIENT"
	reap "$CLIENT"
}
reads() { within "${1:-10}" dd if="$DISK" of=/dev/null bs=64k count=4 iflag=direct; }
# the_only_one: who serves the disk is PID, and nobody else is left.
the_only_one() { [ "$(tapdisks)" = "$PID" ] && [ "$(tap_value 0 pid)" = "$PID" ]; }
gone() { [ ! -e "/proc/$1" ]; }

# Offers and hand-overs that lead to nothing.
image disk.img 16M
create -a "aio:$IMAGE"
load --filename="$DISK" "${VERIFY[@]}" --bs=4k --size=8M
lines offer
check "offered: it is served" reads
refused "nothing else begins meanwhile" 16 'busy' tap-ctl pause -p "$PID" -m 0
refused "nor another takeover" 16 'busy' tap-ctl takeover -p "$PID"
leave
check "the other one has gone: another takeover" take_over
lines offer hand_over
leave
check "held, and gone: it is served" reads
lines offer hand_over
check "held, and nothing more: it is served, a little later" reads 30
same "and who waited for so long has nothing" 22 "$(rpc_errno hand_over '{"minor":0}')"
leave
lines offer
kill -STOP "$CLIENT"
check "offered to one that sleeps: it is served" reads
kill -KILL "$CLIENT"
reap "$CLIENT"
check "takeover" take_over

# The old one does not answer.
kill -STOP "$PID"
refused "from one that is stopped" 110 'recover' tap-ctl takeover -p "$PID" -t 5
kill -CONT "$PID"
check "it goes on" reads
check "nobody else is left" wait_for 10 the_only_one
refused "from none" 2 'no such tapdisk' tap-ctl takeover -p 1
idle=$(tap-ctl spawn)
refused "from one without taps" 19 'no taps' tap-ctl takeover -p "$idle"
kill -TERM "$idle"
check "that ends" wait_for 10 gone "$idle"

# Two at the same time: one of them has it in the end.
old=$PID
background tap-ctl takeover -p "$old"
one=$JOB
background tap-ctl takeover -p "$old"
other=$JOB
reap "$one" 60
first=$REAPED
reap "$other" 60
note "two at once: $first and $REAPED: $(cat "$WORK/job.$one" "$WORK/job.$other")"
check "two at once: one of them gets it" test $(((first == 0) + (REAPED == 0))) = 1
PID=$(tap_value 0 pid)
check "and is the only one" wait_for 15 the_only_one

# One of the two is killed at any moment.
kills() {
	local delay=$1 who=$2 old=$PID victim
	background tap-ctl takeover -p "$old" -t 30
	sleep "$delay"
	victim=$old
	[ "$who" = old ] || victim=$(tapdisks | grep -vx "$old" | head -n 1)
	trace_mark dies
	[ -z "$victim" ] || kill -KILL "$victim"
	reap "$JOB" 60
	outcome="$who killed after $delay s: status $REAPED"
	wait_for 10 gone "$victim"
	PID=$(tap_value 0 pid)
	[ -z "$PID" ] || return 0
	# The one that had it is dead: as after any death.
	outcome="$outcome, recovered"
	PID=$(tap-ctl spawn) || die "spawn"
	must tap-ctl attach -p "$PID" -m 0
	must tap-ctl open -p "$PID" -m 0 -a "aio:$IMAGE" --kernel-io="$mode"
	died "$mode" || die "$outcome, but not with all its requests"
}
modes=(off redirect off auto off)
for round in {1..5}; do
	mode=${modes[round - 1]}
	must tap-ctl kernel-io -p "$PID" -m 0 "$mode"
	for who in new old; do
		kills "0.$((round * 7 + 100 * (round % 4)))" $who
		note "$outcome"
		check "round $round, $mode: $who killed, the disk is served" reads 30
		check "by one alone" wait_for 15 the_only_one
	done
done
deaths_told off
load_ends "nobody saw anything of all that"
check "destroy" destroy
# A socket of one that was killed is there until the next look.
must tap-ctl list

finish
