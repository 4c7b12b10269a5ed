#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Load on a disk that is redirected to a file or a block device: all data right,
# nothing by way of the daemon.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_server fio

# load NAME WAY BACKING
load() {
	serve "" --size 8M --write-cache --fua --no-scan --backing "$3" --by "$2"
	check "$1: random I/O, verified" fio --name=load --filename="$DISK" --rw=randrw --bsrange=512-256k --bs_unaligned=0 \
		--blockalign=512 --size=8M --direct=1 --ioengine=libaio --iodepth=32 --verify=crc32c --verify_fatal=1 \
		--verify_state_save=0 --loops=2
	check "$1: durable writes" fio --name=sync --filename="$DISK" --rw=randwrite --bs=4k --size=8M --io_size=1M \
		--direct=1 --sync=dsync --ioengine=psync
	must dd if=/dev/urandom of="$WORK/data" bs=1M count=8
	must dd if="$WORK/data" of="$DISK" bs=1M conv=fsync
	check "$1: buffered writes are in the backing" cmp -n $((8 << 20)) "$WORK/data" "$3"
	echo 3 >/proc/sys/vm/drop_caches
	check "$1: and can be read" cmp "$WORK/data" "$DISK"
	values=$(nl_tool get "$MINOR")
	unserve
	[ "$2" = extent ] || check "$1: the kernel moved it all ($values)" [ "$(counted redirected)" -gt 500 ]
	[ "$2" != extent ] || same "$1: the daemon has read and written nothing" "0 0" "$(counted read) $(counted write)"
	same "$1: nothing was retried" 0 "$(counted retried)"
	same "$1: nothing was rejected" 0 "$(counted rejected)"
}

image backing 8M
for way in redirect demand extent; do
	load "$way, file" "$way" "$IMAGE"
done
if ram_disk 8M; then
	load "redirect, device" redirect "$RAM"
	load "extent, device" extent "$RAM"
else
	skip "a block device" "needs brd"
fi

serve "" --size 8M --write-cache --fua
below=$DISK below_minor=$MINOR below_server=$SERVER
load "redirect, tap" redirect "$below"
load "extent, tap" extent "$below"
DISK=$below MINOR=$below_minor SERVER=$below_server
unserve
check "durable writes to a tap are durable below" [ "$(counted fua)" -ge 512 ]

finish
