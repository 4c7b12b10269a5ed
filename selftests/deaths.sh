# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests of deaths: a tapdisk that dies with requests in hand, and whether each of them is
# given out again. The trace tells. Sourced after common.sh.

TRACING=/sys/kernel/tracing
# By mode of the kernel's own I/O: deaths, those with requests in hand, and how many these were.
declare -A DEATHS=() BUSY_DEATHS=() IN_HAND=()

deaths_setup() {
	local event
	[ -d $TRACING/events/blktap ] || skip_all "the kernel has no tracing, or tracefs is not mounted"
	trap 'deaths_over; ended_early' EXIT
	echo 0 >$TRACING/events/blktap/enable
	# By their order, that is: the clocks of processors may differ.
	echo counter >$TRACING/trace_clock
	for event in submitted reaped redirected mapped held; do
		echo 1 >$TRACING/events/blktap/blktap_$event/enable
	done
}

deaths_over() {
	echo 0 >$TRACING/events/blktap/enable
	echo local >$TRACING/trace_clock
}

# load FIO-ARGUMENTS...: two jobs until load_ends: checked data, and who writes a block at a
# time and waits until it is durable, for in mode auto a tapdisk has only such FLUSHes.
load() {
	background fio --direct=1 --time_based --runtime=3600 --verify_state_save=0 "$@"
	LOAD=$JOB
}
VERIFY=(--name=verify --rw=randrw --bs=4k-64k --ioengine=libaio --iodepth=16 --verify=crc32c --verify_backlog=32
	--verify_fatal=1)
SYNC=(--name=sync --rw=write --bs=4k --size=1M --fsync=1)

# load_ends TEXT: and had no error.
load_ends() {
	kill -INT "$LOAD"
	reap "$LOAD" 60
	[ "$REAPED" != hangs ] || fail "$1: it hangs"
	same "$1" "" "$(grep -iE 'verify.*fail|bad magic|error[=,: ]' "$WORK/job.$LOAD")"
}

trace_mark() { echo "$1" >$TRACING/trace_marker; }

# has_some: requests that the tapdisk was given and has not answered.
has_some() {
	awk -v disk="tapdev$MINOR" '
		!match($0, /blktap_[a-z]+: /) { next }
		{ split(substr($0, RSTART), w, /[ =]+/) }
		w[2] != disk { next }
		w[1] == "blktap_submitted:" { given[w[4] " " w[6]] = 1; next }
		{ delete given[w[4] " " w[6]] }
		END {
			for (tag in given)
				exit 0
			exit 1
		}' $TRACING/trace
}

# below: SLOW has I/O under way.
below() { [ "$(awk '{ print $1 + $2 }' "/sys/block/${SLOW##*/}/inflight")" -gt 0 ]; }

# fates: of MINOR's requests that waited since "dies" was last marked, in two numbers: how
# many, and how many of them somebody was given again.
fates() {
	awk -v disk="tapdev$MINOR" '
		/tracing_mark_write: dies/ { delete waits; held = again = 0; dead = 1; next }
		!match($0, /blktap_(submitted|mapped|held): /) { next }
		{ split(substr($0, RSTART), w, /[ =]+/) }
		w[2] != disk { next }
		# NAME: DISK queue Q tag T [generation G OP flags F offset O | file offset O]
		{ tag = w[4] " " w[6] }
		w[1] == "blktap_held:" {
			if (dead) {
				held++
				waits[what[tag]]++
			}
			next
		}
		w[1] == "blktap_submitted:" { what[tag] = w[9] " " w[13]; done = what[tag] }
		w[1] == "blktap_mapped:" { done = (waits["read " w[9]] > 0 ? "read " : "write ") w[9] }
		waits[done] > 0 { waits[done]--; again++ }
		END { print held + 0, again + 0 }' $TRACING/trace
}

all_again() {
	fates >"$WORK/fates"
	read -r held again <"$WORK/fates"
	[ "$held" = "$again" ]
}

# idle MODE: so no death means anything.
idle() {
	note "$(tail -n 20 "$WORK/job.$LOAD")"
	die "$1: the tapdisk is given nothing to do"
}

# dies MODE [SIGNAL]: of it, by default KILL. In mode off its I/O to a slow disk is under way. In
# others it has little to do and is quick about it: there it is stopped before, so that what
# it was given stays with it; then no other signal ends it.
dies() {
	if [ "$1" = off ]; then
		wait_for 20 below || idle "$1"
	else
		must kill -STOP "$PID"
		sleep 0.1
		wait_for 20 has_some || idle "$1"
	fi
	trace_mark dies
	must kill "-${2:-KILL}" "$PID"
}

# died MODE: when the disk is served again: counts the death, whose requests have all been
# given out again.
died() {
	local held again
	if ! wait_for 20 all_again; then
		note "$1: $again of $held requests were given out again"
		return 1
	fi
	DEATHS[$1]=$((${DEATHS[$1]-0} + 1))
	BUSY_DEATHS[$1]=$((${BUSY_DEATHS[$1]-0} + (held > 0)))
	IN_HAND[$1]=$((${IN_HAND[$1]-0} + held))
}

# deaths_told MODE...: in each, most of them were with requests in hand.
deaths_told() {
	local mode
	for mode; do
		[ -n "${DEATHS[$mode]-}" ] || continue
		check "$mode: requests in hand at ${BUSY_DEATHS[$mode]} of ${DEATHS[$mode]} deaths, ${IN_HAND[$mode]} in all" \
			test $((2 * BUSY_DEATHS[$mode])) -gt "${DEATHS[$mode]}"
	done
}
