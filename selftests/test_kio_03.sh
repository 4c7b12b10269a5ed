#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Once a pause is acknowledged nothing reaches the image any more, whoever moved
# the bytes: 64 writes are under way, to a device that takes its time.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio jq dmsetup losetup

# slow NAME FILE: a device that takes 200 ms for each write, so that 64 are there at a time.
slow() {
	local loop
	loop=$(losetup -f --show --direct-io=on "$2") || die "no loop device"
	LOOPS+=("$loop")
	must dmsetup create "$1" --table "0 $(blockdev --getsz "$loop") delay $loop 0 0 $loop 0 $((200 * SLOWNESS))"
	must dmsetup mknodes "$1"
}

sum() {
	sync
	echo 1 >/proc/sys/vm/drop_caches
	sha256sum <"$WORK/$1.img"
}

# ended: how many requests have.
ended() { awk '{ print $1 + $5 }' "/sys/block/xen!blktap-2!tapdev$MINOR/stat"; }

LOOPS=()
modprobe -q loop
modprobe -q dm_delay || skip_all "no dm_delay"
for name in old new; do
	image $name.img 32M
	slow $name "$IMAGE"
done

for mode in off redirect auto; do
	create -a aio:/dev/mapper/old --kernel-io=$mode
	same "$mode: it is in use" "$mode" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
	background fio --name=load --filename="$DISK" --rw=randwrite --bs=4k --size=32M --direct=1 --ioengine=libaio \
		--iodepth=64 --number_ios=1024 --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0
	load=$JOB
	check "$mode: 64 writes are under way" wait_for 10 waiting 64
	check "$mode: pause" tap-ctl pause -p "$PID" -m "$MINOR"
	before=$(sum old)
	at_pause=$(ended)
	sleep 1
	same "$mode: the load's requests wait" "$at_pause" "$(ended)"
	check "$mode: and it with them" test -e "/proc/$load"
	must cp "$WORK/old.img" "$WORK/copy.img"
	must dd if="$WORK/copy.img" of=/dev/mapper/new bs=1M oflag=direct
	check "$mode: unpause with another image" tap-ctl unpause -p "$PID" -m "$MINOR" -a aio:/dev/mapper/new
	same "$mode: in the same mode" "$mode" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
	ends "$mode: all that the load wrote is right" 0 "$load" 120
	same "$mode: nothing has reached the old image since" "$before" "$(sum old)"
	check "$mode: the new one has changed" test "$before" != "$(sum new)"
	check "$mode: destroy" destroy
done

# The size: what lies beyond the new end must not grow the file again.
log_expect 'attempt to access beyond end of device'
log_expect_errors
for mode in redirect auto; do
	image size.img 32M
	create -a "aio:$IMAGE" --kernel-io=$mode
	background fio --name=load --filename="$DISK" --rw=randwrite --bs=4k --offset=16M --size=16M --direct=1 \
		--ioengine=libaio --iodepth=64 --time_based --runtime=60
	load=$JOB
	check "$mode: 64 writes are under way" wait_for 10 waiting 32
	check "$mode: smaller" tap-ctl resize -p "$PID" -m "$MINOR" -s 16M --shrink
	same "$mode: the image is" $((16 << 20)) "$(stat -c %s "$IMAGE")"
	fails "$mode: writes beyond its end fail" "$load" 100
	same "$mode: and do not make it larger" $((16 << 20)) "$(stat -c %s "$IMAGE")"
	check "$mode: destroy" destroy
done

# Closing, as soon as whoever wrote is gone.
for mode in redirect auto; do
	create -a aio:/dev/mapper/old --kernel-io=$mode
	background fio --name=load --filename="$DISK" --rw=randwrite --bs=4k --size=32M --direct=1 --ioengine=libaio \
		--iodepth=64 --time_based --runtime=60
	load=$JOB
	check "$mode: 64 writes are under way" wait_for 10 waiting 64
	pkill -KILL -P "$load"
	kill -KILL "$load"
	reap "$load"
	check "$mode: close" wait_for 20 tap-ctl close -p "$PID" -m "$MINOR"
	before=$(sum old)
	sleep 1
	same "$mode: nothing reaches the image after that" "$before" "$(sum old)"
	check "$mode: destroy" destroy
done

for name in old new; do
	must dmsetup remove $name
done
must losetup -d "${LOOPS[@]}"

finish
