#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A pause that is not reached is cancelled; an unpause that fails can be repeated.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client fuse_hang jq
modprobe -q fuse
[ -c /dev/fuse ] || skip_all "needs /dev/fuse"

unpause() { rpc_errno unpause "{\"minor\":0,\"image\":\"$1\",\"timeout_ms\":${2:-60000}}"; }
truncate -s 8M "$WORK/backing"
must dd if=/dev/urandom of="$WORK/backing" bs=1M count=8 conv=notrunc
hanging -o read,open "$WORK/backing"
create --kernel-io=off -a "aio:$WORK/fuse/image"

hang
background dd if="$DISK" of="$WORK/copy" bs=64k iflag=direct
reader=$JOB
check "the server does not answer a read" wait_for 10 held read 1
same "a pause with a limit times out" 110 "$(rpc_errno pause '{"minor":0,"timeout_ms":1000}')"
same "and is cancelled" 0 "$(state)"
background timeout 1 ctl_client "$CONTROL/ctl$PID" ask '{"jsonrpc":"2.0","id":1,"method":"pause","params":{"minor":0}}'
reap "$JOB"
same "as is one whose client goes" "124 0" "$REAPED $(state)"
answer
ends "the reader goes on and gets everything" 0 "$reader"
check "the data is right" cmp "$WORK/copy" "$WORK/backing"

same "pause" 0 "$(rpc_errno pause '{"minor":0}')"
image small.img 4M
cp "$WORK/backing" "$WORK/right.img"
cp "$WORK/backing" "$WORK/busy.img"
mkdir "$WORK/directory"
busy=$(tap-ctl create --kernel-io=off -a "aio:$WORK/busy.img") || die "tap-ctl create"
background dd if="$DISK" of="$WORK/copy" bs=64k iflag=direct
reader=$JOB
check "a reader waits" wait_for 10 blocked "$reader"

# bad TEXT ERRNO IMAGE
bad() {
	same "unpause: $1" "$2 0x2a" "$(unpause "$3") $(state)"
}
bad "no such file" 2 "aio:$WORK/missing"
bad "another size" 124 "aio:$WORK/small.img"
bad "another size in memory" 124 "ram:4M"
bad "a disk that cannot be written to" 124 "ram:8M,ro"
bad "other blocks" 124 "ram:8M,bs=4096"
bad "no such type" 2 "frob:$WORK/right.img"
bad "a type that is not built in" 95 "vhd:$WORK/right.img"
bad "no type" 22 "$WORK/right.img"
bad "a directory" 21 "aio:$WORK/directory"
bad "one that another tapdisk has" 11 "aio:$WORK/busy.img"
hang
same "unpause: a server that does not answer" "110 0x2a" "$(unpause "aio:$WORK/fuse/image7" 1000) $(state)"
check "it was asked" held open 1
same "list still names the image it had" "pid=$PID minor=0 state=0x2a args=aio:$WORK/fuse/image" "$(tap-ctl list -m 0)"
check "the reader still waits" kill -0 "$reader"
check "so does its request" blocked "$reader"
same "unpause: the right one" "0 0" "$(unpause "aio:$WORK/right.img") $(state)"
ends "the reader goes on and gets everything" 0 "$reader"
check "the data is right" cmp "$WORK/copy" "$WORK/right.img"
answer
check "destroy" destroy
check "destroy" tap-ctl destroy -p "$(pid_of "${busy##*tapdev}")" -m "${busy##*tapdev}"
let_go

finish
