#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Data integrity with logical blocks of 4096 bytes, and the limits a server asks for.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup fio

limit() { cat "/sys/block/xen!blktap-2!tapdev$MINOR/$1"; }
limits() {
	local text='' name
	for name; do
		text+="$(limit "$name") "
	done
	echo "${text% }"
}

serve "queues=1" --size 16M --lbs 4096 --pbs 8192 --io-opt 65536 --write-cache
same "block sizes" "4096 8192 8192 65536" "$(limits queue/logical_block_size \
	queue/physical_block_size queue/minimum_io_size queue/optimal_io_size)"
check "fio verify, 4 KiB blocks" fio --name=verify --filename="$DISK" --rw=randwrite --direct=1 \
	--ioengine=libaio --iodepth=32 --size=16M --bssplit=4k/50:68k/30:1M/20 --randrepeat=0 \
	--verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 --output="$WORK/fio"
check_not "512 bytes are refused with O_DIRECT" \
	dd if=/dev/zero of="$DISK" bs=512 count=1 oflag=direct
check "1 MiB at a time" dd if=/dev/zero of="$DISK" bs=1M count=2 oflag=direct
unserve
check "nothing wrong came down" test "$(counted wrong)" = 0
same "requests of 1 MiB" $((1 << 20)) "$(counted most)"

serve "max_io=4194304 queues=1" --size 16M
check "1 MiB pieces on a tap of 4 MiB" fio --name=verify --filename="$DISK" --rw=write --direct=1 \
	--ioengine=libaio --iodepth=4 --size=16M --bs=4M --verify=crc32c --verify_fatal=1 \
	--do_verify=1 --verify_state_save=0 --output="$WORK/fio"
unserve
check "requests of up to 4 MiB arrive ($(counted most) did)" test "$(counted most)" -ge $((1 << 20))

serve "queues=1 max_io=8192" --size 8M --rotational
same "rotational, no cache, no discard" "1 write through 0" \
	"$(limits queue/rotational queue/write_cache queue/discard_max_bytes)"
check "1 MiB through requests of 8 KiB" dd if=/dev/zero of="$DISK" bs=1M count=4 oflag=direct
unserve
same "none larger than max-io" 8192 "$(counted most)"

serve "" --size 8M --write-cache --discard 1M --discard-granularity 4096 --zeroes 2M
same "write cache and discard limits" "0 write back 1048576 4096 2097152" \
	"$(limits queue/rotational queue/write_cache queue/discard_max_hw_bytes \
		queue/discard_granularity queue/write_zeroes_max_bytes)"
unserve

finish
