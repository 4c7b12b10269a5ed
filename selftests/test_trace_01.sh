#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tracepoints: each request passes its four stages, in their order.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

events=/sys/kernel/tracing/events/blktap
[ -d $events ] || skip_all "the kernel has no tracing, or tracefs is not mounted"

tracing() { echo "$1" >$events/enable; }

# stages TAG: what happened to the requests of a tag, one word each
stages() {
	sed -n "s/.* blktap_\([a-z]*\): tapdev0 queue=[0-9]* tag=$1\( .*\)\?$/\1/p" "$WORK/trace" | tr '\n' ' '
}

create -a ram:8M --queues 1
echo >/sys/kernel/tracing/trace
tracing 1
must dd if="$DISK" of=/dev/null bs=64k count=4 iflag=direct
must dd if=/dev/zero of="$DISK" bs=64k count=1 oflag=direct
tracing 0
cat /sys/kernel/tracing/trace >"$WORK/trace"

for stage in queued submitted reaped completed; do
	check "$stage: five requests at least" \
		test "$(grep -c "blktap_$stage: tapdev0 " "$WORK/trace")" -ge 5
done
sed -n 's/.* tag=\([0-9]*\).*/\1/p' "$WORK/trace" | sort -u >"$WORK/tags"
wrong=$(while read -r tag; do
	stages "$tag" | sed 's/queued submitted reaped completed //g'
done <"$WORK/tags")
same "every request passes them in this order" "" "$wrong"
check "what was asked for" grep -q 'blktap_submitted: .* read flags=0x0 offset=0 length=65536$' "$WORK/trace"
check "writes, too" grep -q 'blktap_submitted: .* write flags=0x0 offset=0 length=65536$' "$WORK/trace"
check "what was answered" grep -q 'blktap_reaped: .* result=65536$' "$WORK/trace"
check "destroy" destroy

finish
