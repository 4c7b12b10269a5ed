#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Requests that the kernel hands on to a device while their submitter has more of them:
# with one tag, with bios that are split, while the queue is frozen again and again.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_server fio

load() {
	within 100 fio --name=load --filename="$DISK" --rw=randwrite --direct=1 --ioengine=libaio --size=4M --verify=crc32c \
		--verify_fatal=1 --do_verify=1 --verify_state_save=0 --output="$WORK/fio" "$@"
}

ram_disk 16M || skip_all "needs brd"

for depth in 1 4; do
	serve "queues=1 depth=$depth max_io=4096" --size 8M --write-cache --no-scan --backing "$RAM" --by extent
	check "depth $depth: split into requests of 4 KiB" load --bs=64k --iodepth=8
	check "depth $depth: the same, one at a time" load --bs=128k --ioengine=psync
	check "depth $depth: several submitters" load --bs=4k --iodepth=8 --numjobs=4 --size=1M --offset_increment=1M
	same "depth $depth: by extents" 1 "$(tap_value "$MINOR" extents)"
	unserve
done

serve "queues=2 depth=8 max_io=65536" --size 8M --write-cache --no-scan --backing "$RAM" --by extent
background load --bs=256k --iodepth=8 --numjobs=2 --size=4M --offset_increment=4M --time_based --runtime=4
load=$JOB
queue=/sys/block/xen!blktap-2!tapdev$MINOR/queue
changed=0
while ! job_gone "$load"; do
	for scheduler in mq-deadline none; do
		echo $scheduler >"$queue/scheduler" && changed=$((changed + 1))
	done
	echo 4 >"$queue/nr_requests"
	# In an order of locks that 6.12's lockdep holds against SCSI disks that go later.
	[ "$SLOWNESS" -gt 1 ] || echo 64 >"$queue/max_sectors_kb"
done 2>/dev/null
ends "the queue is frozen under split requests: all is right" 0 "$load" 100
check "it was, $changed times" [ "$changed" -ge 5 ]
unserve
same "by extents alone" "0 0" "$(counted read) $(counted write)"

finish
