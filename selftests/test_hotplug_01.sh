#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Processors go and come back while a disk is used that has a queue for each, and one
# is started while a processor is away.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio
# Of interrupts that were on their way to it.
log_expect 'smpboot: CPU .* is now offline|[Nn]o irq handler for vector'

LAST=$(($(nproc) - 1))
ONLINE=/sys/devices/system/cpu/cpu$LAST/online
[ "$LAST" -gt 0 ] || skip_all "needs two processors"
[ -w "$ONLINE" ] || skip_all "the processors of this kernel cannot be taken away"

tidy() {
	echo 1 >"$ONLINE"
	ended_early
}
trap tidy EXIT

# load OPTIONS...: writes and verifies until it has the size.
load() {
	fio --name=load --filename="$DISK" --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=16 \
		--verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 --randrepeat=0 --size=8M \
		--output="$WORK/fio" "$@"
}

# come_and_go: until there is the file stop.
come_and_go() {
	local times
	for ((times = 0; ; times++)); do
		[ ! -e "$WORK/stop" ] || break
		echo 0 >"$ONLINE" || return 1
		sleep 0.3
		echo 1 >"$ONLINE" || return 1
		sleep 0.3
	done
	echo "times=$times"
}

for mode in off auto; do
	image "$mode.img" 16M
	create -a "aio:$IMAGE" --kernel-io=$mode --queues $((LAST + 1))
	rm -f "$WORK/stop"
	background come_and_go
	plugger=$JOB
	for round in 1 2 3; do
		check "$mode: load $round, verified, while processor $LAST comes and goes" \
			load --numjobs=2 --offset_increment=8M
	done
	touch "$WORK/stop"
	ends "$mode: the processor" 0 "$plugger"
	times=$(sed -n 's/^times=//p' "$WORK/job.$plugger")
	check "$mode: came and went: $times times" test "$times" -ge 2
	must sh -c "echo 0 >$ONLINE"
	check "$mode: without the processor" load
	must sh -c "echo 1 >$ONLINE"
	check "$mode: a request from the processor that is back" \
		taskset -c "$LAST" dd if="$DISK" of=/dev/null bs=4k count=16 iflag=direct
	check "$mode: destroy" destroy
done

must sh -c "echo 0 >$ONLINE"
image away.img 16M
create -a "aio:$IMAGE" --queues $((LAST + 1))
check "a disk with a queue for the processor that is away" load
must sh -c "echo 1 >$ONLINE"
check "and when it is there" taskset -c "$LAST" dd if="$DISK" of=/dev/null bs=4k count=16 iflag=direct
check "destroy" destroy
check_not "no more queues than processors" nl_tool new queues=$((LAST + 2))

finish
