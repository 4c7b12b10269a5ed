#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is late is with a device below: that is told, and no tapdisk is killed for it.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl dmsetup
log_expect 'a device below has not answered a request'

{ ram_disk 16M && modprobe -q dm-mod; } || skip_all "needs brd and dm-mod"
STORE=/dev/mapper/blktap-late
must dmsetup create blktap-late --noudevsync --table "0 32768 linear $RAM 0"
must dmsetup mknodes blktap-late

happened() { [ "$(grep -c " event=$1 minor=$MINOR" "$WORK/job.$MONITOR")" -ge "${2:-1}" ]; }

for mode in redirect auto; do
	create -a "aio:$STORE" --kernel-io=$mode --io-timeout=1 --on-timeout=kill
	same "$mode: in use" "$mode" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
	listen
	must dmsetup suspend --noflush --nolockfs blktap-late
	background dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
	writer=$JOB
	check "$mode: a request is late: the event" wait_for 10 happened timeout
	check "$mode: and again" wait_for 10 happened timeout 2
	check_not "$mode: nobody was lost" happened daemon-lost
	same "$mode: the same tapdisk serves" "$PID" "$(pid_of "$MINOR")"
	must dmsetup resume --noudevsync blktap-late
	ends "$mode: the request ends well" 0 "$writer"
	check "$mode: so do others" dd if=/dev/zero of="$DISK" bs=4k count=4 oflag=direct
	kill "$MONITOR"
	reap "$MONITOR"
	check "$mode: destroy" destroy
done
same "the log tells of the device" 1 \
	"$(($(dmesg | grep -c "tapdev$MINOR: a device below has not answered a request for 1000 ms") >= 4))"

must dmsetup remove --noudevsync blktap-late
finish
