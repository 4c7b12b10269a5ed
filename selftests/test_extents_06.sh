#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Submitters who wait for a tag have nothing in their hands that others wait for: with fewer
# tags than requests of the kernel's own, and while pauses and takeovers wait for these.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ring_server fio

# More submitters than tags, each with many requests at a time.
MANY=(--direct=1 --ioengine=libaio --bs=4k --iodepth=16 --iodepth_batch_submit=16 --iodepth_batch_complete_min=4
	--numjobs=8 --group_reporting --time_based --verify_state_save=0)
tags() { echo "$1" >"/sys/block/xen!blktap-2!tapdev$MINOR/queue/nr_requests"; }

ram_disk 16M || skip_all "needs brd"

serve "queues=1 depth=64 max_io=65536" --size 8M --no-scan --backing "$RAM" --by extent
for nr in 1 4; do
	must tags $nr
	check "$nr tags" within 60 fio --name=tags --filename="$DISK" "${MANY[@]}" --rw=randread --size=8M --runtime=3
done
same "by extents" 1 "$(tap_value "$MINOR" extents)"
unserve

create -a "aio:$RAM" --queues 1 --depth 8 --kernel-io=auto
same "in use" auto "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
background fio --name=waits --filename="$DISK" "${MANY[@]}" --rw=randrw --size=1M --offset_increment=1M --runtime=300 \
	--verify=crc32c --verify_backlog=16 --verify_fatal=1
LOAD=$JOB
check "extents are in use" wait_for 20 counts 'ios_extent > 100'
for round in 1 2 3 4 5; do
	must within 30 tap-ctl pause -p "$PID" -m "$MINOR" -t 20
	must within 30 tap-ctl unpause -p "$PID" -m "$MINOR"
	must take_over -t 30
done
pass "$round pauses and takeovers come to their end"
check "extents are in use again" wait_for 20 counts 'ios_extent > 100'
check_not "the load goes on" job_gone "$LOAD"
kill -INT "$LOAD"
reap "$LOAD" 60
same "and had no error" "" "$(grep -iE 'verify.*fail|bad magic|error[=,: ]' "$WORK/job.$LOAD")"
check "destroy" destroy

finish
