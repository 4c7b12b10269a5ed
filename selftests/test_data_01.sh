#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Data integrity: fio writes and verifies 512 B to 1 MiB, one job, one queue.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio

# verify SIZE BLOCK...: a data set of this size with these block sizes
verify() {
	check "fio verify, blocks of $2" fio --name="$2" --filename="$DISK" --rw=randwrite \
		--direct=1 --ioengine=libaio --iodepth=32 --size="$1" --bssplit="$2" \
		--randrepeat=0 --random_generator=lfsr --norandommap=0 --verify=crc32c \
		--verify_fatal=1 --do_verify=1 --verify_state_save=0 --output="$WORK/fio"
}

image disk.img 32M
create -a "aio:$IMAGE" --queues 1
verify 1M 512
verify 4M 4k
verify 16M 64k
verify 32M 1M
must dd if=/dev/urandom of="$WORK/random" bs=1M count=32 status=none
check "a random image is written" dd if="$WORK/random" of="$DISK" bs=1M oflag=direct conv=fsync
check "and read in odd pieces" cmp "$WORK/random" <(dd if="$DISK" iflag=direct bs=29184 status=none)
check "destroy" destroy
check "the image file is the same" cmp "$WORK/random" "$IMAGE"
create -a "aio:$IMAGE" --queues 1 --depth 1 --max-io 4096
check "and through a ring of depth 1 and 4 KiB" \
	cmp "$WORK/random" <(dd if="$DISK" iflag=direct bs=1M status=none)
check "destroy" destroy

finish
