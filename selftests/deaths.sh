# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests of deaths: a tapdisk that dies with requests in hand, and whether each of them is
# given out again, once. The trace tells, if there are some seconds in it: the disk must not be
# too quick. Sourced after common.sh.

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
	for event in submitted reaped redirected mapped moved held; do
		echo 1 >$TRACING/events/blktap/blktap_$event/enable
	done
	echo >$TRACING/trace
	cat $TRACING/trace_pipe >>"$WORK/trace" &
	READER=$!
}

deaths_over() {
	kill "$READER"
	echo 0 >$TRACING/events/blktap/enable
	echo local >$TRACING/trace_clock
}

# load FIO-ARGUMENTS...: until load_ends. VERIFY is a job with checked data, SYNC one that writes
# a block at a time and waits until it is durable, for in mode auto a tapdisk has only such FLUSHes.
load() {
	background fio --direct=1 --time_based --runtime=3600 --verify_state_save=0 "$@"
	LOAD=$JOB LOAD_JOBS=$(printf '%s\n' "$@" | grep -c '^--name=')
}
VERIFY=(--name=verify --rw=randrw --bs=4k-64k --ioengine=libaio --iodepth=16 --verify=crc32c --verify_backlog=32
	--verify_fatal=1)
SYNC=(--name=sync --rw=write --bs=4k --size=1M --fsync=1)

# load_ends TEXT: all its jobs have worked until then, and had no error.
load_ends() { load_over "$1" "$LOAD" "$LOAD_JOBS"; }

# trace_afresh: what was begun before, and is soon over, is not known any more.
trace_afresh() {
	: >"$WORK/trace"
	sleep 0.2
}
# traced: what happened since, in its order. Nothing is missing: a trace that is read while it
# goes on has gaps, and keeps only so much; what is taken out of it has and does not.
traced() { sed -n 's/.* \([0-9]*\): \(blktap\|tracing\)_/\1 \2_/p' "$WORK/trace" | sort -n; }
trace_mark() { echo "$1" >$TRACING/trace_marker; }

# has_some: requests that the tapdisk was given and has not answered.
has_some() {
	traced | awk -v disk="tapdev$MINOR" '
		!match($0, /blktap_[a-z]+: /) { next }
		{ split(substr($0, RSTART), w, /[ =]+/) }
		w[2] != disk { next }
		w[1] == "blktap_submitted:" { given[w[4] " " w[6]] = 1; next }
		{ delete given[w[4] " " w[6]] }
		END {
			for (tag in given)
				exit 0
			exit 1
		}'
}

# fates: of MINOR's requests that waited since "dies" was last marked, in three numbers: how
# many, how many of them somebody was given again, and how often one went somewhere while it
# was there already: to a daemon, or among those that wait.
fates() {
	traced | awk -v disk="tapdev$MINOR" '
		function is(tag, place) {
			twice += dead && at[tag] == place
			at[tag] = place
		}
		/tracing_mark_write: dies/ { delete waits; delete at; held = again = twice = 0; dead = 1; next }
		!match($0, /blktap_[a-z]+: /) { next }
		{ split(substr($0, RSTART), w, /[ =]+/) }
		w[2] != disk { next }
		# NAME: DISK queue Q tag T [generation G OP flags F offset O | file offset O]; in the
		# file it has the same place.
		{ tag = w[4] " " w[6] }
		w[1] == "blktap_reaped:" || w[1] == "blktap_moved:" { delete at[tag]; next }
		w[1] == "blktap_held:" {
			is(tag, "waits")
			if (dead) {
				held++
				waits[what[tag]]++
			}
			next
		}
		w[1] == "blktap_submitted:" { is(tag, "given"); what[tag] = w[9] == "flush" ? "flush" : w[13] }
		w[1] == "blktap_mapped:" { is(tag, "given"); what[tag] = w[9] }
		w[1] !~ /^blktap_(submitted|mapped):$/ { next }
		waits[what[tag]] > 0 { waits[what[tag]]--; again++ }
		END { print held + 0, again + 0, twice + 0 }'
}

look() {
	fates >"$WORK/fates"
	read -r held again twice <"$WORK/fates"
}
all_again() { look && [ "$held" = "$again" ]; }

# where PID...: what they do, and their threads.
where() {
	local pid task
	for pid; do
		for task in "/proc/$pid/task"/*; do
			echo "$task: $(cut -d ' ' -f 2,3 "$task/stat") $(head -n 6 "$task/stack" | tr -s '\n' ' ')"
		done
	done 2>&1
}

# idle MODE: so no death means anything.
idle() {
	local children
	note "$(tail -n 20 "$WORK/job.$LOAD")"
	note "under way: $(cat "/sys/block/xen!blktap-2!tapdev$MINOR/inflight")"
	note "$(tap-ctl stats -p "$PID" -m "$MINOR")"
	read -ra children <"/proc/$LOAD/task/$LOAD/children"
	note "$(where "$PID" "$LOAD" "${children[@]}")"
	note "$(traced | tail -n 20)"
	die "$1: the tapdisk is given nothing to do"
}

# dies MODE [SIGNAL]: of it, by default KILL. In mode off requests are under way, and nearly all of
# their time that is its I/O to a slow disk. (What a dm-delay keeps back, it does not count.) In
# others it has little to do and is quick about it: there it is stopped before, so that what
# it was given stays with it; then no other signal ends it.
dies() {
	trace_afresh
	if [ "$1" = off ]; then
		wait_for 20 waiting 1 || idle "$1"
	else
		must kill -STOP "$PID"
		sleep 0.1
		wait_for 20 has_some || idle "$1"
	fi
	trace_mark dies
	must kill "-${2:-KILL}" "$PID"
}

# kept MODE: when the disk is served again, what waited has all been given out again, once.
kept() {
	wait_for 20 all_again && [ "$twice" = 0 ] && return
	note "$1: $again of $held requests were given out again, $twice twice"
	note "$(grep LOST "$WORK/trace")"
	note "$(traced | sed -n '/mark_write: dies/,$p' | head -n 200)"
	return 1
}

# died MODE: counts a death, after which the disk is served again.
died() {
	local held again twice
	kept "$1" || return
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
