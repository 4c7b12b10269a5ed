#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk has given up what it does not need, in all of its threads, and all of
# its features work nevertheless.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl python3 fio blkdiscard capsh

FIO=(--name=load --bs=16k --direct=1 --ioengine=libaio --iodepth=8 --verify=crc32c --verify_fatal=1
	--verify_state_save=0 --end_fsync=1)
built_with_asan() { grep -q libasan "/proc/$PID/maps"; }

# threads KEY: the values of that line of status, of all threads of PID.
threads() {
	cat "/proc/$PID/task/"*/status | sed -n "s/^$1:[[:space:]]*//p" | sort -u
}

# names HEX: capabilities by name.
names() { capsh --decode="$1" | sed 's/.*=//'; }

# A log daemon that takes one message.
listen_for_log() {
	rm -f /dev/log
	python3 -c 'if True:
		import socket
		log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		log.bind("/dev/log")
		log.settimeout(20)
		print("ready", flush=True)
		print(log.recv(2000).decode(), flush=True)'
}

# logs TEXT COMMAND...: that makes tapdisk log something, which arrives.
logs() {
	local text=$1
	shift
	background listen_for_log
	wait_for 10 grep -q ready "$WORK/job.$JOB"
	must "$@"
	ends "$text" 0 "$JOB"
}

# use: what a disk is used for.
use() {
	check "$1: data" fio "${FIO[@]}" --filename="$DISK" --rw=randwrite --size=6M
	check "$1: write zeroes" fallocate -z -o 1M -l 1M "$DISK"
	[ "$(cat "/sys/block/xen!blktap-2!tapdev$MINOR/queue/discard_max_bytes")" = 0 ] ||
		check "$1: discard" blkdiscard -f -o 2M -l 1M "$DISK"
}

image disk.img 16M
create -a "aio:$IMAGE" --queues 2
! built_with_asan || { must destroy; skip_all "a tapdisk with AddressSanitizer is not confined"; }
same "capabilities in force" cap_dac_override,cap_sys_admin "$(names "$(threads CapEff)")"
same "those that it may have" cap_dac_override,cap_sys_admin "$(names "$(threads CapPrm)")"
same "those that programs could have" "0000000000000000" "$(threads CapBnd)"
same "no new privileges" 1 "$(threads NoNewPrivs)"
same "system calls are filtered" 2 "$(threads Seccomp)"
check "it has several threads" [ "$(threads Pid | wc -l)" -ge 3 ]

use "a file"
for mode in off redirect auto; do
	check "kernel I/O: $mode" tap-ctl kernel-io -p "$PID" -m 0 "$mode"
	check "kernel I/O: $mode: data" fio "${FIO[@]}" --filename="$DISK" --rw=randrw --size=4M
done
check "resize" tap-ctl resize -p "$PID" -m 0 -s 24M
background fio "${FIO[@]}" --filename="$DISK" --rw=randrw --size=6M --time_based --runtime=4
load=$JOB
check "pause under load" tap-ctl pause -p "$PID" -m 0
cp --sparse=always "$IMAGE" "$WORK/moved.img"
check "unpause with another image" tap-ctl unpause -p "$PID" -m 0 -a "aio:$WORK/moved.img"
ends "the load ends well" 0 "$load" 60
check "stats" tap-ctl stats -p "$PID" -m 0
check "info" tap-ctl info -p "$PID"
check "close" tap-ctl close -p "$PID" -m 0
logs "the log gets a message" tap-ctl open -p "$PID" -m 0 -a "aio:$IMAGE"
must tap-ctl close -p "$PID" -m 0
logs "and another one, when the log daemon has been restarted" tap-ctl open -p "$PID" -m 0 -a "aio:$IMAGE" -D
rm -f /dev/log
use "the page cache"
must tap-ctl close -p "$PID" -m 0

mkdir -m 700 "$WORK/theirs"
must cp "$IMAGE" "$WORK/theirs/disk.img"
chown -R 12345:12345 "$WORK/theirs"
chmod 600 "$WORK/theirs/disk.img"
check "an image of somebody else" tap-ctl open -p "$PID" -m 0 -a "aio:$WORK/theirs/disk.img"
must tap-ctl close -p "$PID" -m 0
if ram_disk 16M; then
	must tap-ctl open -p "$PID" -m 0 -a "aio:$RAM"
	use "a block device"
	must tap-ctl close -p "$PID" -m 0
else
	skip "a block device" "no RAM disk"
fi
for spec in ram:8M null:8M "scatter:$IMAGE,block=64K"; do
	check "$spec" tap-ctl open -p "$PID" -m 0 -a "$spec"
	[[ $spec == null:* ]] || use "$spec"
	must tap-ctl close -p "$PID" -m 0
done
must tap-ctl allocate
must tap-ctl attach -p "$PID" -m 1
for n in 0 1; do
	check "a shared image, disk $n" tap-ctl open -p "$PID" -m $n -R -a "aio:$IMAGE"
done
threads=$(threads Seccomp)
same "threads that came later are filtered, too" 2 "$threads"
must tap-ctl destroy -p "$PID" -m 1

kill -TERM "$PID"
check "SIGTERM" wait_for 10 no_tapdisk
must nl_tool del 0
check "the control socket goes" [ -z "$(control_sockets)" ]

# What was refused would be in the kernel's log, as test_sandbox_02 sees; log_bad looks there.
finish
