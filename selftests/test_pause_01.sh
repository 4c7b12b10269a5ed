#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A paused disk holds its requests; none fails, and the image is let go.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client fio jq

image disk.img 16M
create -a "aio:$IMAGE"
same "unpause of a running disk" 22 "$(rpc_errno unpause '{"minor":0}')"
background fio --name=load --filename="$DISK" --rw=randrw --bs=4k --offset=1M --size=14M --direct=1 --ioengine=libaio \
	--iodepth=16 --verify=crc32c --verify_fatal=1 --verify_state_save=0 --time_based --runtime=8
load=$JOB
wait_for 10 waiting 1

same "pause under load" 0 "$(rpc_errno pause '{"minor":0}')"
same "the state is 0x2a, and the image is named" "pid=$PID minor=0 state=0x2a args=aio:$IMAGE" "$(tap-ctl list)"
check "the load's requests wait" held_up
same "the image is closed" 0 "$(image_fds "$IMAGE")"
before=$(sha256sum "$IMAGE")
background dd if=/dev/zero of="$DISK" bs=64k count=1 oflag=direct
writer=$JOB
background dd if="$DISK" of=/dev/null bs=64k count=1 iflag=direct skip=200
reader=$JOB
check "so do a new write and read" wait_for 5 blocked "$writer" "$reader"
same "pause again" 0 "$(rpc_errno pause '{"minor":0}')"
same "other operations know: resize" 22 "$(rpc_errno resize '{"minor":0}')"
same "close, while it is open" 16 "$(rpc_errno close '{"minor":0}')"
same "it is still paused" 0x2a "$(state)"
check "none of them has ended" kill -0 "$load" "$writer" "$reader"
same "the image has not changed" "$before" "$(sha256sum "$IMAGE")"
other=$(tap-ctl create -a "aio:$IMAGE") && check "its lock is free: another tapdisk opens it" \
	tap-ctl destroy -p "$(pid_of "${other##*tapdev}")" -m "${other##*tapdev}"

same "unpause" 0 "$(rpc_errno unpause '{"minor":0}')"
same "the state" 0 "$(state)"
same "the image is open" 1 "$(image_fds "$IMAGE")"
ends "the write succeeds" 0 "$writer"
ends "the read succeeds" 0 "$reader"
ends "the load ends well, all data right" 0 "$load" 60

for i in {1..20}; do
	[ "$(rpc_errno pause '{"minor":0}')$(rpc_errno unpause '{"minor":0}')" = 00 ] || break
done
same "20 pauses one after the other" 20 "$i"
same "pause of an idle disk" 0 "$(rpc_errno pause '{"minor":0}')"
check "a paused disk can be closed" tap-ctl close -p "$PID" -m 0
same "list" "pid=$PID minor=0 state=0x2" "$(tap-ctl list)"
same "pause without an image" 22 "$(rpc_errno pause '{"minor":0}')"
check "open again" tap-ctl open -p "$PID" -m 0 -a "aio:$IMAGE"
check "destroy" destroy

finish
