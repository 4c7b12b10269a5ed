#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What was written is read: with one queue and several, spinning and not, over a
# file and over a block device, and while memory is short.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio

LIMIT=/sys/module/blktap/parameters/queue_buffers_mib
limit=$(cat "$LIMIT")
LEAVE_MIB=96
QUEUES=$(($(nproc) < 4 ? $(nproc) : 4))

tidy() {
	echo "$limit" >"$LIMIT"
	modprobe -q -r brd
}
trap 'tidy; ended_early' EXIT

# verify TEXT: random writes of many sizes from two jobs, then all is read.
verify() {
	check "$1" fio --name=verify --filename="$DISK" --rw=randwrite --direct=1 \
		--ioengine=libaio --iodepth=16 --numjobs=2 --size=8M --offset_increment=8M \
		--bssplit=4k/50:20k/30:132k/15:1M/5 --randrepeat=0 --verify=crc32c \
		--verify_fatal=1 --do_verify=1 --verify_state_save=0 --group_reporting \
		--output="$WORK/fio"
}

# on IMAGE TEXT QUEUES...: disks with so many, that spin and do not.
on() {
	local queues spin
	for queues in "${@:3}"; do
		for spin in 0 200; do
			create --kernel-io=off -a "aio:$1" --queues "$queues" --spin "$spin"
			verify "fio verify over $2, $queues queues, --spin $spin"
			destroy || die "destroy"
		done
	done
}

available_mib() { echo $(($(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024)); }
scans() { awk '/^pgscan_(kswapd|direct) / { n += $2 } END { print n }' /proc/vmstat; }

# eat: memory that nothing gives back, until little is left.
eat() {
	mkdir "$WORK/eaten" && mount -t tmpfs -o size=100% tmpfs "$WORK/eaten" &&
		fallocate -l $(($(available_mib) - LEAVE_MIB))M "$WORK/eaten/file"
}
eaten() { [ "$(available_mib)" -le $((LEAVE_MIB + 32)) ]; }

# Pages that could go at once keep coming, so that free ones are always few.
churn() {
	while [ -d "$WORK/eaten" ]; do
		dd if=/dev/zero of="$WORK/churn" bs=1M count=256 conv=notrunc || return 1
	done
}

image disk.img 16M
on "$IMAGE" "a file" 1 "$QUEUES"
if modprobe -q brd rd_nr=1 rd_size=16384; then
	on /dev/ram0 "a block device" 1 "$QUEUES"
else
	skip "fio verify over a block device" "needs brd"
fi

echo 0 >"$LIMIT"
on "$IMAGE" "a file through the reserve alone" "$QUEUES"
echo "$limit" >"$LIMIT"

before=$(scans)
must eat
check "little memory is left" eaten
background churn
churner=$JOB
on "$IMAGE" "a file while memory is short" "$QUEUES"
check "the kernel had to look for memory" test "$(scans)" -gt "$before"
must umount "$WORK/eaten"
must rmdir "$WORK/eaten"
ends "the other writer" 0 "$churner"
tidy

finish
