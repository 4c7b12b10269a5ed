#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk of another user, without any rights: what it may not open is passed to it.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client fio jq

USER_NAME=nobody
FIO=(--name=load --bs=16k --direct=1 --ioengine=libaio --iodepth=8 --verify=crc32c --verify_fatal=1
	--verify_state_save=0 --end_fsync=1)

# secret NAME SIZE: an image that root alone can reach, its path in IMAGE.
secret() {
	mkdir -p "$WORK/secret"
	chmod 700 "$WORK/secret"
	image "secret/$1" "$2"
	chmod 600 "$IMAGE"
}

# threads KEY: the values of that line of status, of all threads of PID.
threads() {
	cat "/proc/$PID/task/"*/status | sed -n "s/^$1:[[:space:]]*//p" | tr '\t' ' ' | sort -u
}

chmod 755 "$WORK"
refused "no such user" 1 "there is no user nosuch" tap-ctl spawn --user nosuch
refused "root" 22 "cannot be given up" tap-ctl spawn --user root
secret disk.img 16M
tap-ctl create --user $USER_NAME -a "aio:$IMAGE" --queues 2 >"$WORK/created" 2>&1
if grep -q AddressSanitizer "$WORK/created"; then
	skip_all "a tapdisk with AddressSanitizer is not confined"
fi
PID=$(pid_of 0) MINOR=0 DISK=$NODES/tapdev0
check "create: ring node and image are passed" [ -n "$PID" ]
id=$(id -u $USER_NAME)
same "it is that user" "$id $id $id $id" "$(threads Uid)"
same "without capabilities" 0000000000000000 "$(threads CapPrm)"
same "system calls are filtered" 2 "$(threads Seccomp)"
check "data" fio "${FIO[@]}" --filename="$DISK" --rw=randrw --size=8M
for mode in off redirect auto; do
	check "kernel I/O: $mode" tap-ctl kernel-io -p "$PID" -m 0 "$mode"
	check "kernel I/O: $mode: data" fio "${FIO[@]}" --filename="$DISK" --rw=randrw --size=4M
done
check "resize" tap-ctl resize -p "$PID" -m 0 -s 24M
refused "its lock holds" 11 "is open for writing elsewhere" tap-ctl create -a "aio:$IMAGE"

background fio "${FIO[@]}" --filename="$DISK" --rw=randrw --size=6M --time_based --runtime=4
load=$JOB
check "pause" tap-ctl pause -p "$PID" -m 0
same "the image is closed" 0 "$(image_fds "$IMAGE")"
same "unpause without a descriptor: not permitted" 13 "$(rpc_errno unpause '{"minor":0}')"
check "which says why" grep -q "no descriptor of it came along" <(rpc unpause '{"minor":0}')
must mv "$IMAGE" "$WORK/secret/moved.img"
refused "unpause without the image" 2 "cannot open $IMAGE: No such file" tap-ctl unpause -p "$PID" -m 0
must mv "$WORK/secret/moved.img" "$IMAGE"
check "unpause" tap-ctl unpause -p "$PID" -m 0
must tap-ctl pause -p "$PID" -m 0
must cp --sparse=always "$IMAGE" "$WORK/secret/moved.img"
check "unpause with another image" tap-ctl unpause -p "$PID" -m 0 -a "aio:$WORK/secret/moved.img"
ends "the load ends well" 0 "$load" 60
same "list" "pid=$PID minor=0 state=0 args=aio:$WORK/secret/moved.img" "$(tap-ctl list -m 0)"
must tap-ctl close -p "$PID" -m 0

refused "open: no such image" 2 "cannot open $WORK/secret/none: No such file" \
	tap-ctl open -p "$PID" -m 0 -a "aio:$WORK/secret/none"
refused "open: a directory" 21 "is a directory" tap-ctl open -p "$PID" -m 0 -R -a "aio:$WORK/secret"
same "open by its path alone" 13 "$(rpc_errno open "{\"minor\":0,\"image\":\"aio:$IMAGE\"}")"
same "a descriptor that did not come" 22 "$(rpc_errno open "{\"minor\":0,\"image\":\"aio:$IMAGE\",\"descriptor\":true}")"
same "it cannot open ring nodes" 13 "$(must tap-ctl allocate >/dev/null; rpc_errno attach '{"minor":1}')"
check "attach: the ring node is passed" tap-ctl attach -p "$PID" -m 1
for n in 0 1; do
	check "a shared image, disk $n" tap-ctl open -p "$PID" -m $n -R -a "aio:$IMAGE"
done
same "it is open once" 1 "$(image_fds "$IMAGE")"
must tap-ctl pause -p "$PID" -m 1
check "a read-only disk goes on" tap-ctl unpause -p "$PID" -m 1
for n in 0 1; do
	must tap-ctl close -p "$PID" -m $n
done
opening() {
	for n in 0 1; do
		echo "{\"jsonrpc\":\"2.0\",\"id\":$n,\"method\":\"open\",\"params\":{\"minor\":$n,\"image\":\"aio:$IMAGE\",\"descriptor\":true}}"
	done
}
same "an open file is for one disk that writes" "0 11" \
	"$(opening | ctl_client "$CONTROL/ctl$PID" pass "$IMAGE" | jq -r '.error.data.errno // 0' | tr '\n' ' ' | sed 's/ $//')"
must tap-ctl destroy -p "$PID" -m 1
must tap-ctl close -p "$PID" -m 0

if ram_disk 16M; then
	must chmod 600 "$RAM"
	check "a block device" tap-ctl open -p "$PID" -m 0 -a "aio:$RAM"
	check "a block device: data" fio "${FIO[@]}" --filename="$DISK" --rw=randrw --size=4M
	refused "it is claimed" 16 "$RAM is mounted or used|open for writing" \
		tap-ctl create --user $USER_NAME -a "aio:$RAM"
	must tap-ctl close -p "$PID" -m 0
else
	skip "a block device" "no RAM disk"
fi
must cp "$IMAGE" "$WORK/own.img"
chown $USER_NAME "$WORK/own.img"
chmod 600 "$WORK/own.img"
same "its own image needs no descriptor" 0 "$(rpc_errno open "{\"minor\":0,\"image\":\"aio:$WORK/own.img\"}")"
check "destroy" destroy
wait_for 10 no_tapdisk
tap-ctl list
check "the control socket, which it cannot remove, goes with the next list" [ -z "$(control_sockets)" ]

finish
