#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# How long a disk is without a tapdisk while one takes over from another: from the last
# request that one answered to the first that the other answers, with data or a place. In mode auto
# the kernel answers where there are extents; a tapdisk has FLUSHes there, which so are the load.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio

events=/sys/kernel/tracing/events/blktap
[ -d $events ] || skip_all "the kernel has no tracing, or tracefs is not mounted"
ROUNDS=20
LIMIT_MS=$((100 * SLOWNESS))

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

# measure MODE IMAGE FIO-ARGUMENTS...: ROUNDS takeovers under load.
measure() {
	local old i load median most
	create -a "aio:$2" --kernel-io="$1"
	background fio --name=load --filename="$DISK" --bs=4k --size=32M --direct=1 --time_based --runtime=3600 "${@:3}"
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
	load_over "$1: the load saw no error" "$load"
	sort -n "$WORK/gaps" >"$WORK/sorted"
	same "$1: all gaps were seen" $ROUNDS "$(wc -l <"$WORK/sorted")"
	# The larger of the two in the middle.
	median=$(sed -n $((ROUNDS / 2 + 1))p "$WORK/sorted")
	most=$(tail -n 1 "$WORK/sorted")
	check "$1: without a tapdisk: median $median ms of $ROUNDS, most $most ms, and the median less than $LIMIT_MS ms" \
		test "${median%.*}" -lt $LIMIT_MS
	check "$1: destroy" destroy
}

image disk.img 32M
data=(--rw=randwrite --ioengine=libaio --iodepth=4 --rate_iops=500)
measure off "$IMAGE" "${data[@]}"
measure redirect "$IMAGE" "${data[@]}"
# Where a FLUSH takes no time, so that there is always one that has just been answered.
if ram_disk 32M; then
	measure auto "$RAM" --rw=write --fsync=1
else
	skip "auto" "needs brd"
fi
echo 0 >$events/enable
echo norecord-tgid >/sys/kernel/tracing/trace_options

finish
