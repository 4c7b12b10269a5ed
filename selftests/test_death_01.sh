#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tapdisk is killed with I/O in flight: nothing hangs, and the next one serves.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio
log_expect_errors

load() {
	background fio --name=load --filename="$DISK" --rw="$1" --direct=1 --ioengine=libaio \
		--iodepth=32 --bs=16k --size=16M --time_based --runtime=60 --output="$WORK/fio.$1"
}
busy() { [ "$(awk '{ print $1 + $5 }' '/sys/block/xen!blktap-2!tapdev0/stat')" -gt 500 ]; }

image disk.img 16M
must dd if=/dev/urandom of="$IMAGE" bs=1M count=16 conv=notrunc
create --on-death=fail -a "aio:$IMAGE"
exec 8<"$DISK"
load randread
first=$JOB
load randrw
second=$JOB
wait_for 20 busy || die "there is no load"
kill -KILL "$PID"
fails "the reading job ends with an error" "$first"
fails "the writing job ends with an error" "$second"
check "the tapdisk is gone" wait_for 10 no_tapdisk
check "the disk is still there" test -b "$DISK"
check_not "a new read fails at once" within 10 dd if="$DISK" of=/dev/null count=8 iflag=direct
check_not "and so does a buffered one" within 10 dd if="$DISK" of=/dev/null count=8
same "list: the tap alone" "minor=0" "$(tap-ctl list)"
check_not "the tap cannot be freed while its disk is open" tap-ctl free -m 0
rm -f "$CONTROL"/ctl*

pid=$(tap-ctl spawn) || die "spawn"
check "a new tapdisk attaches" tap-ctl attach -p "$pid" -m 0
image small.img 8M
refused "an image of another size is refused" 124 '.' tap-ctl open -p "$pid" -m 0 -a "aio:$IMAGE"
check "the right one is opened, under the opener" tap-ctl open -p "$pid" -m 0 -a "aio:$WORK/disk.img"
check "the data is the same" cmp "$WORK/disk.img" <(dd if="$DISK" iflag=direct bs=1M status=none)
check "it writes" dd if=/dev/zero of="$DISK" bs=1M count=4 oflag=direct
exec 8<&-
check "destroy" tap-ctl destroy -p "$pid" -m 0

finish
