#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Buffer memory: with none but the reserve, or little, requests come in pieces and
# all data is right; idle pages are given back, and come again. It holds nothing of others.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio ring_zeroed

LIMIT=/sys/module/blktap/parameters/queue_buffers_mib
TOTAL=/sys/module/blktap/parameters/total_buffers_mib
USED=/sys/module/blktap/parameters/buffers_kib
limit=$(cat "$LIMIT")
total=$(cat "$TOTAL")
restore() { echo "$limit" >"$LIMIT"; echo "$total" >"$TOTAL"; }
trap 'restore; ended_early' EXIT

unused() { [ "$(cat "$USED")" -eq 0 ]; }

# verify TEXT
verify() {
	check "$1" fio --name=verify --filename="$DISK" --rw=randwrite --direct=1 \
		--ioengine=libaio --iodepth=16 --numjobs=2 --size=8M --offset_increment=8M \
		--bssplit=4k/40:68k/40:1M/20 --randrepeat=0 --verify=crc32c --verify_fatal=1 \
		--do_verify=1 --verify_state_save=0 --group_reporting --output="$WORK/fio"
}

echo 0 >"$LIMIT"
serve "queues=1" --size 8M --no-scan
must dd if=/dev/urandom of="$WORK/data" bs=1M count=8
check "8 MiB are written through the reserve alone" dd if="$WORK/data" of="$DISK" bs=1M oflag=direct
check "and read" cmp "$WORK/data" <(dd if="$DISK" bs=1M iflag=direct status=none)
unserve
same "in pieces of 32 KiB" 32768 "$(counted most)"
same "no other memory was used" 0 "$(cat "$USED")"
same "nothing wrong came down" 0 "$(counted wrong)"

image disk.img 16M
# Where the kernel moves the bytes by itself there are no buffers.
create -a "aio:$IMAGE" --queues 1 --kernel-io=off
verify "fio verify with the reserve alone"
echo 1 >"$LIMIT"
verify "fio verify with 1 MiB of buffers"
check "and no more" test "$(cat "$USED")" -le 1024
restore
echo 1 >"$TOTAL"
verify "fio verify with 1 MiB of buffers for all queues"
check "and no more" test "$(cat "$USED")" -le 1024
restore
verify "fio verify with enough"
must dd if="$WORK/data" of="$DISK" bs=1M oflag=direct
check "memory is in use" test "$(cat "$USED")" -ge 1024
check "idle memory is given back" wait_for 30 unused
check "the data is read with new pages" cmp "$WORK/data" \
	<(dd if="$DISK" bs=1M count=8 iflag=direct status=none)
check "destroy" destroy

adopt ring_zeroed

finish
