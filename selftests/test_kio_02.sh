#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The mode changes while requests are under way; also by pause and resize.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio jq

# under_load IMAGE
under_load() {
	local i modes=(off redirect auto redirect off auto) wrong=''
	create -a "$1"
	same "auto is the default" auto "$(tap-ctl kernel-io -p "$PID" -m 0)"
	background fio --name=load --filename="$DISK" --rw=randrw --bs=4k --size=16M --direct=1 --ioengine=libaio \
		--iodepth=32 --verify=crc32c --verify_fatal=1 --verify_state_save=0 --time_based --runtime=$((8 * SLOWNESS))
	load=$JOB
	wait_for 10 waiting 1
	for ((i = 0; i < 100; i++)); do
		! job_gone "$load" || break
		mode=${modes[i % 6]}
		[ "$(tap-ctl kernel-io -p "$PID" -m 0 "$mode")" = "$mode" ] || wrong+=" $i"
		sleep 0.1
	done
	same "each switch" '' "$wrong"
	check "all modes were in use, $i switches" [ "$i" -ge 5 ]
	ends "its data are right" 0 "$load" 300
	check "no error" counts 'ios_retry == 0 and .rejected == 0'
	check "destroy" destroy
}

image disk.img 16M
under_load "aio:$IMAGE"
image store.img 16M
under_load "scatter:$IMAGE,block=64K"

image disk.img 16M
create -a "aio:$IMAGE"
check "it is an extent" counts 'extents == 1 and .files == 1'
check "pause" tap-ctl pause -p "$PID" -m 0
check "nothing is left of it" counts 'extents == 0 and .files == 0'
other=$(tap-ctl create -a "aio:$IMAGE") && check "the lock is free: another tapdisk opens the image" \
	tap-ctl destroy -p "$(pid_of "${other##*tapdev}")" -m "${other##*tapdev}"
same "while paused, what it may be" auto "$(tap-ctl kernel-io -p "$PID" -m 0)"
same "a mode for later" redirect "$(tap-ctl kernel-io -p "$PID" -m 0 redirect)"
check "unpause" tap-ctl unpause -p "$PID" -m 0
same "it is in use" redirect "$(tap-ctl kernel-io -p "$PID" -m 0)"
check "a file, and no extent" counts 'extents == 0 and .files == 1'
same "list tells" redirect "$(tap-ctl list --json | jq -r '.[0].kernel_io')"
same "back" auto "$(tap-ctl kernel-io -p "$PID" -m 0 auto)"
check "smaller" tap-ctl resize -p "$PID" -m 0 -s 8M --shrink
check "it is an extent again" counts 'extents == 1 and .files == 1'
same "and the image is smaller" $((8 << 20)) "$(stat -c %s "$IMAGE")"
check "its end can be written" dd if=/dev/zero of="$DISK" bs=64k seek=127 count=1 oflag=direct
same "and the image did not grow" $((8 << 20)) "$(stat -c %s "$IMAGE")"
check "larger" tap-ctl resize -p "$PID" -m 0 -s 24M
check "its end can be written" dd if=/dev/urandom of="$DISK" bs=64k seek=383 count=1 oflag=direct
refused "no such mode" 22 'not auto, redirect or off' tap-ctl kernel-io -p "$PID" -m 0 fast
check "destroy" destroy

create -a ram:8M
same "what has no file" off "$(tap-ctl kernel-io -p "$PID" -m 0 auto)"
check "destroy" destroy
create -D -a "aio:$IMAGE"
same "what the page cache may hold" off "$(tap-ctl kernel-io -p "$PID" -m 0)"
check "destroy" destroy

finish
