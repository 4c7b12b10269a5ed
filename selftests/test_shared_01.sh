#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Read-only disks of one tapdisk share an image: it is open once.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client fio jq

COUNT=4
image golden.img 8M
must dd if=/dev/urandom of="$IMAGE" bs=1M count=8 conv=notrunc
PID=$(tap-ctl spawn) || die "spawn"
for ((i = 0; i < COUNT; i++)); do
	must tap-ctl allocate
	must tap-ctl attach -p "$PID" -m $i
	must tap-ctl open -p "$PID" -m $i -R -a "aio:$IMAGE"
done
same "$COUNT disks, the image is open once" 1 "$(image_fds "$IMAGE")"
wrong=0
for ((i = 0; i < COUNT; i++)); do
	cmp -s "$IMAGE" <(dd if="$NODES/tapdev$i" iflag=direct bs=1M status=none) || wrong=$((wrong + 1))
done
same "each has its data" 0 $wrong

jobs=()
for ((i = 0; i < COUNT; i++)); do
	background fio --name=load --filename="$NODES/tapdev$i" --readonly --rw=randread --bs=4k --size=8M --direct=1 \
		--ioengine=libaio --iodepth=8 --time_based --runtime=5
	jobs+=("$JOB")
done
for _ in {1..5}; do
	same "one of them pauses and goes on" "0 0" "$(rpc_errno pause '{"minor":1}') $(rpc_errno unpause '{"minor":1}')"
done
same "the image is open once" 1 "$(image_fds "$IMAGE")"
for job in "${jobs[@]}"; do
	ends "a load ends well" 0 "$job" 60
done

must tap-ctl allocate
must tap-ctl attach -p "$PID" -m $COUNT
refused "a writer beside them" 11 "$IMAGE" tap-ctl open -p "$PID" -m $COUNT -a "aio:$IMAGE"
ln "$IMAGE" "$WORK/link"
check "the same file by another name" tap-ctl open -p "$PID" -m $COUNT -R -a "aio:$WORK/link"
check "its data is right" cmp "$IMAGE" <(dd if="$NODES/tapdev$COUNT" iflag=direct bs=1M status=none)
other=$(tap-ctl create -R -a "aio:$IMAGE") && check "another tapdisk reads it, too" \
	tap-ctl destroy -p "$(pid_of "${other##*tapdev}")" -m "${other##*tapdev}"

for ((i = COUNT; i > 0; i--)); do
	must tap-ctl close -p "$PID" -m $i
	must tap-ctl detach -p "$PID" -m $i
	must tap-ctl free -m $i
done
check "the last one still has its data" cmp "$IMAGE" <(dd if="$NODES/tapdev0" iflag=direct bs=1M status=none)
check "close" tap-ctl close -p "$PID" -m 0
same "then the image is closed" 0 "$(image_fds "$IMAGE")"
check "and can be written to" tap-ctl open -p "$PID" -m 0 -a "aio:$IMAGE"
check "destroy" tap-ctl destroy -p "$PID" -m 0

finish
