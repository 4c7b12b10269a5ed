#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Disks come to a tapdisk and leave it while others of it run at full load.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client fio jq

ROUNDS=8
# come_and_go MINOR: says what went wrong, and fails
come_and_go() {
	local i
	for ((i = 0; i < ROUNDS; i++)); do
		tap-ctl allocate -m "$1" && tap-ctl attach -p "$PID" -m "$1" &&
			tap-ctl open -p "$PID" -m "$1" -a ram:4M &&
			dd if="$NODES/tapdev$1" of=/dev/null bs=1M iflag=direct status=none &&
			tap-ctl close -p "$PID" -m "$1" && tap-ctl detach -p "$PID" -m "$1" &&
			tap-ctl free -m "$1" || return 1
	done
}

image disk.img 16M
create -a "aio:$IMAGE"
must tap-ctl allocate -m 1
must tap-ctl attach -p "$PID" -m 1
must tap-ctl open -p "$PID" -m 1 -a ram:16M
loads=()
for disk in tapdev0 tapdev1; do
	background fio --name=load --filename="$NODES/$disk" --rw=randwrite --bs=4k --size=16M --direct=1 --ioengine=libaio \
		--iodepth=16 --verify=crc32c --verify_fatal=1 --verify_state_save=0 --time_based --runtime=15
	loads+=("$JOB")
done
movers=()
for minor in 2 3 4; do
	background come_and_go $minor
	movers+=("$JOB")
done
for job in "${movers[@]}"; do
	ends "$ROUNDS disks come and go" 0 "$job" 120
done
for job in "${loads[@]}"; do
	ends "a load beside them ends well, all data right" 0 "$job" 60
done
must tap-ctl close -p "$PID" -m 1
must tap-ctl detach -p "$PID" -m 1
must tap-ctl free -m 1
check "destroy" destroy

finish
