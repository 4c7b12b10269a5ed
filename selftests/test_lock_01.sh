#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What may wait for memory, or for others who do, is not done with the tap's lock: force and
# the end of the hold time need that, and memory may come only with them.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

TRACING=/sys/kernel/tracing
[ -e $TRACING/kprobe_events ] || skip_all "the kernel has no kprobes, or tracefs is not mounted"
# The block layer makes a disk, and tells of its size; the driver has the lock, and has it no more.
PROBES=(r:blktap_test/locked:blktap_tap_lock p:blktap_test/unlock:blktap_tap_unlock
	p:blktap_test/tells:block_uevent p:blktap_test/tags:blk_mq_alloc_tag_set
	p:blktap_test/disk:__blk_mq_alloc_disk)
probes_over() {
	[ ! -e $TRACING/events/blktap_test ] || echo 0 >$TRACING/events/blktap_test/enable
	sed 's/^/-:/' <(printf 'blktap_test/%s\n' locked unlock tells tags disk) >>$TRACING/kprobe_events
} 2>/dev/null
trap 'probes_over; ended_early' EXIT
for probe in "${PROBES[@]}"; do
	must sh -c "echo ${probe%:*} ${probe##*:} >>$TRACING/kprobe_events"
done

# seen EVENT: how often, by whoever, and how many of these with the lock.
seen() {
	awk -v event="$1:" '
		/^#/ { next }
		/ locked: / { held[$1]++ }
		/ unlock: / { held[$1]-- }
		index($0, " " event " ") { n++; locked += held[$1] > 0 }
		END { print n + 0, locked + 0 }' "$WORK/trace"
}
# done_without TEXT EVENT: it was, and never with the lock.
done_without() {
	local n locked
	read -r n locked < <(seen "$2")
	check "$1 ($n times)" test "$n" -gt 0
	same "$1: with the lock" 0 "$locked"
}
# traced EVENT TEXT COMMAND...: until that has been seen, which may be after it.
traced() {
	echo >$TRACING/trace
	echo 1 >$TRACING/events/blktap_test/enable
	check "${@:2}"
	wait_for 10 grep -q " $1: " $TRACING/trace
	echo 0 >$TRACING/events/blktap_test/enable
	cat $TRACING/trace >"$WORK/trace"
}

image disk.img 8M
traced disk "create" create -a "aio:$IMAGE"
check "the lock is seen" grep -q ' locked: ' "$WORK/trace"
done_without "START: a tag set is made" tags
done_without "START: a disk is made" disk
must truncate -s 16M "$IMAGE"
traced tells "resize" tap-ctl resize -p "$PID" -m "$MINOR"
done_without "RESIZE: users of the disk are told" tells
# Who holds them up may wait for the disk, and so for its daemon.
same "RESIZE: the daemon does not wait for that" 0 "$(grep ' tells: ' "$WORK/trace" | grep -vc ' kworker/')"
same "and the disk is larger" 16777216 "$(blockdev --getsize64 "$DISK")"
check "destroy" destroy

finish
