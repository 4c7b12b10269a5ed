#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A mounted file system goes through the deaths of its tapdisk as if there were none.
# BLKTAP_TEST_KILLS says how many.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl mkfs.ext4 fio jq

KILLS=${BLKTAP_TEST_KILLS:-5}
# The supervisor waits for 1, 2, 4, 8 and then 16 s before it tries again.
RUNTIME=$((KILLS > 4 ? (KILLS - 4) * 18 + 12 : 12))
MNT=$WORK/mnt
mkdir "$MNT"

served_again() { PID=$(pid_of "$MINOR") && [ -n "$PID" ] && [ "$PID" != "$old" ]; }

image disk.img 64M
create -a "aio:$IMAGE" --restart
check "a supervisor runs" wait_for 5 supervisor_runs
must mkfs.ext4 -q -F "$DISK"
must mount "$DISK" "$MNT"
background fio --name=verify --directory="$MNT" --rw=randrw --bs=4k-64k --direct=1 --ioengine=libaio --iodepth=8 \
	--size=16M --io_size=100G --time_based --runtime=$RUNTIME --rate=4M --verify=crc32c --verify_backlog=64 \
	--do_verify=1 --output="$WORK/fio"
fio=$JOB
for ((kill = 1; kill <= KILLS; kill++)); do
	old=$PID
	sleep "0.$((RANDOM % 10))"
	must kill -KILL "$old"
	wait_for 60 served_again || die "kill $kill: nobody serves the disk"
done
pass "$KILLS times its tapdisk was killed, and it was recovered"
ends "fio verify sees no error" 0 "$fio" $((RUNTIME + 120))
same "and no wrong byte" "" "$(grep -i 'verify.*fail\|bad magic\|error' "$WORK/fio")"
check "umount" umount "$MNT"
check "the file system is whole" e2fsck -fn "$DISK"
PID=$(pid_of "$MINOR")
check "destroy" destroy
check "the supervisor ends when it is told to" supervisor_ends

finish
