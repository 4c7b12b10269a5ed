#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# How long a disk is without a tapdisk while one takes over from another: from the last
# request that one answered to the first that the other answers, with data or a place. In mode auto
# the kernel answers where there are extents: of that, nothing tells the one from the other.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio

events=/sys/kernel/tracing/events/blktap
[ -d $events ] || skip_all "the kernel has no tracing, or tracefs is not mounted"
ROUNDS=15
LIMIT_MS=100

# What tells of a daemon that works. A thread's process is seen by its group.
echo 0 >$events/enable
for event in reaped redirected; do
	echo 1 >$events/blktap_$event/enable
done
echo record-tgid >/sys/kernel/tracing/trace_options

# gap OLD NEW: milliseconds between the two, out of the trace.
gap() {
	awk -v old="$1" -v new="$2" '
	/^#/ || !match($0, /\( *[0-9]+\)/) { next }
	{
		group = substr($0, RSTART + 1, RLENGTH - 2) + 0
		for (i = 1; i <= NF; i++)
			if ($i ~ /^[0-9]+\.[0-9]+:$/)
				time = $i + 0
	}
	group == old { last = time }
	group == new && !first { first = time }
	END { if (last && first) printf "%.1f\n", (first - last) * 1000 }' /sys/kernel/tracing/trace
}

# works PID: since the trace was emptied.
works() { grep -Eq "\( *$1\)" /sys/kernel/tracing/trace; }

# measure MODE: ROUNDS takeovers under load.
measure() {
	local old i load median
	create -a "aio:$IMAGE" --kernel-io="$1"
	background fio --name=load --filename="$DISK" --rw=randwrite --bs=4k --size=64M --direct=1 --ioengine=libaio --iodepth=4 \
		--rate_iops=500 --time_based --runtime=300
	load=$JOB
	: >"$WORK/gaps"
	for ((i = 0; i < ROUNDS; i++)); do
		old=$PID
		echo >/sys/kernel/tracing/trace
		must wait_for 20 works "$old"
		must take_over
		must wait_for 20 works "$PID"
		gap "$old" "$PID" >>"$WORK/gaps"
	done
	kill -INT "$load"
	reap "$load" 30
	same "$1: the load saw no error" "" "$(grep -i 'error=' "$WORK/job.$load")"
	sort -n "$WORK/gaps" >"$WORK/sorted"
	same "$1: all gaps were seen" $ROUNDS "$(wc -l <"$WORK/sorted")"
	median=$(sed -n $(((ROUNDS + 1) / 2))p "$WORK/sorted")
	note "$1: milliseconds without a tapdisk: median $median, most $(tail -n 1 "$WORK/sorted")"
	check "$1: the median is less than $LIMIT_MS" test "${median%.*}" -lt $LIMIT_MS
	check "$1: destroy" destroy
}

image disk.img 64M
measure off
measure redirect
echo 0 >$events/enable
echo norecord-tgid >/sys/kernel/tracing/trace_options

finish
