#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Who has a real-time priority and polls for his I/O leaves its processor to nobody else: what
# the kernel does for him is done on another one.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl polls chrt taskset
[ "$(nproc)" -gt 1 ] || skip_all "needs two processors"

image disk.img 4M
must dd if=/dev/zero of="$IMAGE" bs=1M count=4
create -a "aio:$IMAGE" --kernel-io=auto
# Else its time would be short, but for others not over.
limit=$(cat /proc/sys/kernel/sched_rt_runtime_us)
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
check "one that polls, at a real-time priority, is served" within 30 taskset -c 0 chrt -f 10 "$(type -P polls)" "$DISK" 300
echo "$limit" >/proc/sys/kernel/sched_rt_runtime_us
check "from extents" moves auto 250
check "destroy" destroy

finish
