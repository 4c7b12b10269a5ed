#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk that is made to stand still: by a signal, by its cgroup, by a suspend.
# Requests wait and none fails.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio
log_expect 'Freezing|PM: |OOM killer|Restarting tasks|suspend|Filesystems sync|printk: Suspending'

load() {
	fio --name=load --filename="$DISK" --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=8 \
		--verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 --size=8M \
		--output="$WORK/fio.$1"
}

# stands TEXT: requests wait for it, and go on waiting.
stands() {
	check "$1: requests wait" wait_for 20 waiting 1
	sleep 1
	check "$1: and go on waiting" waiting 1
}

image disk.img 16M
create -a "aio:$IMAGE" --kernel-io=off
background load signal
job=$JOB
kill -STOP "$PID"
stands "stopped by a signal"
kill -CONT "$PID"
ends "the load ends well when it goes on" 0 "$job" 120

group=$WORK/cgroup/frozen
mkdir "$WORK/cgroup"
if mount -t cgroup2 none "$WORK/cgroup" 2>/dev/null && mkdir "$group" && [ -e "$group/cgroup.freeze" ]; then
	must sh -c "echo $PID >$group/cgroup.procs"
	background load cgroup
	job=$JOB
	must sh -c "echo 1 >$group/cgroup.freeze"
	check "its cgroup is frozen, though it waits in the kernel" \
		wait_for 10 grep -qx 'frozen 1' "$group/cgroup.events"
	stands "frozen by its cgroup"
	must sh -c "echo 0 >$group/cgroup.freeze"
	ends "the load ends well when it is thawed" 0 "$job" 120
	must sh -c "echo $PID >$WORK/cgroup/cgroup.procs"
	must rmdir "$group"
	must umount "$WORK/cgroup"
else
	skip "frozen by its cgroup" "no cgroups that can be frozen"
fi

# suspend: all processes are frozen, some time passes, and they go on.
suspend() {
	echo freezer >/sys/power/pm_test
	echo freeze >/sys/power/state
}
if [ -w /sys/power/pm_test ]; then
	check "all processes are frozen and thawed, the idle tapdisk among them" suspend
	check "and the disk is read" dd if="$DISK" of=/dev/null bs=1M iflag=direct
	echo none >/sys/power/pm_test
else
	skip "all processes are frozen" "this kernel cannot try a suspend (PM_DEBUG)"
fi
check "destroy" destroy

finish
