#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Data integrity: four jobs, two queues, mixed sizes, direct and through the page cache.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio

# Each job's share of the disk.
SHARE=$((8 / SLOWNESS))M

# verify TEXT OPTIONS...
verify() {
	local text=$1
	shift
	check "fio verify, $text" fio --name=verify --filename="$DISK" --rw=randwrite \
		--ioengine=libaio --iodepth=16 --numjobs=4 --size="$SHARE" --offset_increment="$SHARE" \
		--randrepeat=0 --verify=crc32c --verify_fatal=1 --do_verify=1 \
		--verify_state_save=0 --group_reporting --output="$WORK/fio" "$@"
}

queues=$(nproc)
[ "$queues" -le 2 ] || queues=2
image disk.img 32M
create -a "aio:$IMAGE" --queues "$queues"
same "the disk has its queues" "$queues" \
	"$(find '/sys/block/xen!blktap-2!tapdev0/mq' -mindepth 1 -maxdepth 1 | wc -l)"
verify "4 jobs, 4 KiB" --direct=1 --bs=4k
verify "4 jobs, 512 B to 1 MiB" --direct=1 --bssplit=512/20:3584/20:4k/20:68k/20:1M/20
verify "4 jobs, 64 KiB, page cache" --direct=0 --bs=64k --end_fsync=1
check "destroy" destroy

finish
