#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tracepoints of requests whose data the kernel moves.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_server

events=/sys/kernel/tracing/events/blktap
[ -d $events ] || skip_all "the kernel has no tracing, or tracefs is not mounted"

tracing() { echo "$1" >$events/enable; }

# stages TAG: what happened to the requests of a tag, one word each
stages() {
	sed -n "s/.* blktap_\([a-z]*\): tapdev[0-9]* queue=[0-9]* tag=$1\( .*\)\?$/\1/p" "$WORK/trace" | tr '\n' ' '
}

# traced WAY STAGES: each of a few requests passes these.
traced() {
	serve "queues=1" --size 8M --no-scan --backing "$IMAGE" --by "$1"
	echo >/sys/kernel/tracing/trace
	tracing 1
	must dd if="$DISK" of=/dev/null bs=64k count=4 iflag=direct
	must dd if=/dev/zero of="$DISK" bs=64k count=1 oflag=direct
	tracing 0
	cat /sys/kernel/tracing/trace >"$WORK/trace"
	unserve
	check "$1: five requests at least" test "$(grep -c 'blktap_completed: ' "$WORK/trace")" -ge 5
	sed -n 's/.* tag=\([0-9]*\).*/\1/p' "$WORK/trace" | sort -u >"$WORK/tags"
	wrong=$(while read -r tag; do
		stages "$tag" | sed "s/$2 //g"
	done <"$WORK/tags")
	same "$1: every request passes $2" "" "$wrong"
}

image backing 8M
traced redirect "queued submitted redirected moved completed"
traced demand "queued submitted redirected moved completed"
traced extent "queued mapped moved completed"

finish
