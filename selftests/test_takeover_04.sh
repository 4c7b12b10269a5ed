#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A takeover in which one of the two goes, or stops, or does not play by the rules: the
# disk is always with exactly one, and its users see nothing of it. Below it is a slow disk, so
# that there are always requests in hand where the daemon has them, and not too many a second.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/deaths.sh"
setup tap-ctl ctl_client fio jq
deaths_setup
slow_disk 40 || skip_all "needs brd and dm-delay"

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
create -a "aio:$SLOW"
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

# One of the two is killed while the disk is on its way. A takeover takes LENGTH milliseconds, and
# what the new one does in them may be over before another process has started: none is needed to see it.
now() { NOW=$((${EPOCHREALTIME/[^0-9]/} / 1000)); }
mkfifo "$WORK/nothing"
exec {NOTHING}<>"$WORK/nothing"
nap() { read -rt 0.005 -u "$NOTHING"; }
# successor: its PID is NEW, when it can be reached.
successor() {
	local socket
	for socket in "$CONTROL"/ctl*; do
		NEW=${socket##*/ctl}
		[ "$NEW" = "$PID" ] || return 0
	done
	return 1
}
# begins: a takeover, in JOB.
begins() {
	# What earlier ones have left would look like a successor.
	must tap-ctl list
	trace_afresh
	now
	BEGIN=$NOW
	background tap-ctl takeover -p "$PID" -t 30
}
measured() {
	begins
	until job_gone "$JOB"; do
		nap
	done
	now
	LENGTH=$((NOW - BEGIN))
	ends "a takeover takes $LENGTH ms" 0 "$JOB"
	PID=$(tap_value 0 pid)
	check "by one alone" wait_for 15 the_only_one
}

# after PERCENT: of LENGTH; at once if it is not more than 0.
after() {
	local left
	[ "$1" -gt 0 ] || return 0
	now
	left=$((BEGIN + LENGTH * $1 / 100 - NOW))
	[ "$left" -le 0 ] || sleep "$(printf '%d.%03d' $((left / 1000)) $((left % 1000)))"
}

# kills WHO PERCENT: of the time from the beginning; the new one, from when it can be reached.
# Whoever has the disk then is PID. WHEN: was it early, late, or in between.
kills() {
	local old=$PID victim
	begins
	victim=$old
	if [ "$1" = new ]; then
		until successor || job_gone "$JOB"; do
			nap
		done
		successor || die "a takeover without a successor: $(cat "$WORK/job.$JOB")"
		now
		BEGIN=$NOW victim=$NEW
	fi
	after "$2"
	trace_mark dies
	kill -KILL "$victim" 2>/dev/null
	reap "$JOB" 60
	WHEN=between
	[ "$REAPED" != 0 ] || WHEN=late
	! grep -q "no such tapdisk" "$WORK/job.$JOB" || WHEN=early
	OUTCOME="$1 killed after $2 %, $WHEN: status $REAPED"
	note "$OUTCOME: $(cat "$WORK/job.$JOB")"
	wait_for 10 gone "$victim"
	PID=$(tap_value 0 pid)
	if [ -n "$PID" ]; then
		kept "$mode" || die "$OUTCOME, but not all requests were kept"
		return
	fi
	# The one that had it is dead: as after any death.
	OUTCOME="$OUTCOME, recovered"
	check "$OUTCOME: nobody else is left" wait_for 15 no_tapdisk
	PID=$(tap-ctl spawn) || die "spawn"
	must tap-ctl attach -p "$PID" -m 0
	must tap-ctl open -p "$PID" -m 0 -a "aio:$SLOW" --kernel-io="$mode"
	died "$mode" || die "$OUTCOME, but not with all its requests"
}

# If it was late the next one is earlier; else it is later, so that it is another moment.
measured
declare -A at=([new]=0 [old]=40) step=([new]=5 [old]=10) into=([new]=0 [old]=0) tries=([new]=0 [old]=0)
other_of() { [ "$1" = old ] && echo new || echo old; }
modes=(off redirect off auto off)
for ((i = 0; i < 12 && (i < 8 || into[new] < 2 || into[old] < 2); i++)); do
	who=$([ $((i % 2)) = 0 ] && echo new || echo old)
	[ $i -lt 8 ] || [ "${into[$who]}" -lt 2 ] || who=$(other_of "$who")
	mode=${modes[tries[$who]++ % 5]}
	must tap-ctl kernel-io -p "$PID" -m 0 "$mode"
	kills "$who" "${at[$who]}"
	case $WHEN in
	late) at[$who]=$((at[$who] - 2 * step[$who])) ;;
	between) into[$who]=$((into[$who] + 1)) ;;&
	*) at[$who]=$((at[$who] + step[$who])) ;;
	esac
	check "$mode: $OUTCOME: the disk is served" reads 30
	check "by one alone" wait_for 15 the_only_one
done
for who in new old; do
	check "killed while it was under way: $who, ${into[$who]} times of ${tries[$who]}" test "${into[$who]}" -ge 2
done
check "in mode off, too" test "${DEATHS[off]-0}" -gt 0
deaths_told off
load_ends "nobody saw anything of all that"
check "destroy" destroy
check "the slow disk is free" wait_for 10 slow_disk_gone
# A socket of one that was killed is there until the next look.
must tap-ctl list

finish
