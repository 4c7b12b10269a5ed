#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk of another user is replaced by one of that user, which may open neither the ring
# node nor the image.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio

uid() { sed -n 's/^Uid:\t\([0-9]*\)\t.*/\1/p' "/proc/$PID/status"; }

chmod 755 "$WORK"
mkdir -m 700 "$WORK/secret"
image secret/disk.img 16M
tap-ctl create --user nobody -a "aio:$IMAGE" >"$WORK/created" 2>&1
if grep -q AddressSanitizer "$WORK/created"; then
	skip_all "a tapdisk with AddressSanitizer is not confined"
fi
MINOR=0
PID=$(pid_of $MINOR) DISK=$NODES/tapdev0
[ -n "$PID" ] || die "create"
background fio --name=load --filename="$DISK" --rw=randrw --bs=16k --size=8M --direct=1 --ioengine=libaio --iodepth=8 \
	--time_based --runtime=10 --verify=crc32c --verify_backlog=64 --verify_fatal=1 --verify_state_save=0
load=$JOB
for i in 1 2 3; do
	check "takeover $i" take_over
	same "the new one is that user" "$(id -u nobody)" "$(uid)"
done
ends "all that the load wrote is right" 0 "$load" 60
check "destroy" destroy
# Its sockets go with the next look at them: it may not remove them itself.
must tap-ctl list

finish
