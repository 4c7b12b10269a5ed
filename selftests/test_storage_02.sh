#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The storage of three disks, one for each mode, does not answer for more than ten seconds:
# they wait, and the tapdisk, its other disk and its clients do not.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/storage.sh"
setup tap-ctl jq fio dmsetup
SECTORS=16384
STALL=10 # s
FASTEST=1000 # ms that a request of the other disk may take, while the machine is emulated

{ ram_disk 32M && modprobe -q dm-mod; } || skip_all "needs brd and dm-mod"
for i in 0 1 2; do
	must dmsetup create "blktap-stall-${MODES[i]}" --noudevsync --table "0 $SECTORS linear $RAM $((i * SECTORS))"
	must dmsetup mknodes "blktap-stall-${MODES[i]}"
done

must dd if=/dev/urandom of="$WORK/bytes" bs=4k count=16
image other.img 16M
one_tapdisk
open_disk other -a "aio:$IMAGE" --kernel-io=off
for mode in "${MODES[@]}"; do
	open_disk "$mode" -a "aio:/dev/mapper/blktap-stall-$mode" --kernel-io="$mode"
	same "$mode: a write" "done" "$(write_at 3)"
	same "$mode: in use" "$mode" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
done

writers=()
for mode in "${MODES[@]}"; do
	must dmsetup suspend --noflush --nolockfs "blktap-stall-$mode"
	choose "$mode"
	background dd if="$WORK/bytes" of="$DISK" bs=4k count=1 seek=7 oflag=direct
	writers+=("$JOB")
	check "$mode: a write waits" wait_for 10 waiting 1
done
stalled=$SECONDS

choose other
check "the other disk works" fio --name=other --filename="$DISK" --rw=randrw --bs=4k --direct=1 --ioengine=libaio \
	--iodepth=4 --time_based --runtime=4 --output-format=json --output="$WORK/other"
ios=$(jq '.jobs[0] | .read.total_ios + .write.total_ios' "$WORK/other")
slowest=$(jq '[.jobs[0] | .read, .write | .clat_ns.max] | max / 1000000 | floor' "$WORK/other")
check "quickly: $ios requests, the slowest in $slowest ms" [ "$ios" -gt 200 -a "$slowest" -lt $FASTEST ]
check "the tapdisk answers" within 2 tap-ctl list -p "$PID"
milliseconds open_disk another -a ram:1M
check "it opens another disk, in $TOOK ms" [ "$TOOK" -lt 2000 ]
pauses=()
for mode in "${MODES[@]}"; do
	choose "$mode"
	check "$mode: the write still waits" waiting 1
	background tap-ctl pause -p "$PID" -m "$MINOR" -t 1
	pauses+=("$JOB")
done
for i in 0 1 2; do
	ends "${MODES[i]}: a pause gives up at its time" 110 "${pauses[i]}"
done
while [ $((SECONDS - stalled)) -le $STALL ]; do
	sleep 0.2
done
for mode in "${MODES[@]}"; do
	must dmsetup resume --noudevsync "blktap-stall-$mode"
done

# took PID: whole seconds, as dd tells.
took() { sed -n 's/.* copied, \([0-9]*\)[.0-9]* s,.*/\1/p' "$WORK/job.$1"; }
for i in 0 1 2; do
	ends "${MODES[i]}: the write goes through" 0 "${writers[i]}" 30
	check "${MODES[i]}: in $(took "${writers[i]}") s" [ "$(took "${writers[i]}")" -ge $STALL ]
	choose "${MODES[i]}"
	same "${MODES[i]}: it can be read" "done" "$(read_at 7)"
	check "${MODES[i]}: and is right" is_right
	check "${MODES[i]}: who moved the bytes" moves "${MODES[i]}" 2
done
check_not "nothing failed" logged "error|fail|again"
close_all
for mode in "${MODES[@]}"; do
	must dmsetup remove --noudevsync "blktap-stall-$mode"
done
modprobe -q -r brd

finish
