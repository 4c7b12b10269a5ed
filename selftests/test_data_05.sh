#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Requests that are odd in size, place, memory or flags, in all modes of I/O by the
# kernel; and ranges of more than 4 GiB.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl odd_io blkdiscard fio

for mode in off redirect auto; do
	image "$mode.img" 16M
	create -a "aio:$IMAGE" --kernel-io=$mode --queues 1 --depth 4
	note "mode $mode"
	adopt odd_io "$DISK"
	check "destroy" destroy
done

image deep.img 16M
create -a "aio:$IMAGE" --queues 1 --depth 1024 --max-io 4096
check "1024 requests at once" fio --name=deep --filename="$DISK" --rw=randwrite --bs=4k --direct=1 \
	--ioengine=libaio --iodepth=1024 --size=16M --verify=crc32c --verify_fatal=1 --do_verify=1 \
	--verify_state_save=0 --output="$WORK/fio"
check "destroy" destroy

GIB=$((1 << 30))
at() { dd "$@" bs=4k count=1 status=none; }
image large.img 9G
create -a "aio:$IMAGE"
must dd if=/dev/urandom of="$WORK/page" bs=4k count=1
for place in 0 $((4 * GIB)) $((4 * GIB + 4096)) $((9 * GIB - 4096)); do
	check "a page at byte $place" at if="$WORK/page" of="$DISK" seek=$((place / 4096)) oflag=direct
	check "is in the image at that byte" cmp "$WORK/page" <(at if="$IMAGE" skip=$((place / 4096)))
done
check "a DISCARD of 8 GiB and a page, from a page on" \
	blkdiscard -o 4096 -l $((8 * GIB + 4096)) "$DISK"
check "leaves what is before" cmp "$WORK/page" <(at if="$DISK" iflag=direct)
check "and what is behind" cmp "$WORK/page" <(at if="$DISK" skip=$((9 * GIB / 4096 - 1)) iflag=direct)
check "and nothing between" cmp -n 4096 /dev/zero <(at if="$DISK" skip=$((4 * GIB / 4096)) iflag=direct)
for place in $((4 * GIB - 4096)) $((4 * GIB)) $((5 * GIB)); do
	must at if="$WORK/page" of="$DISK" seek=$((place / 4096)) oflag=direct
done
check "WRITE_ZEROES of 1 GiB across 4 GiB" blkdiscard -z -o $((4 * GIB - 4096)) -l $((GIB + 4096)) "$DISK"
for place in $((4 * GIB - 4096)) $((4 * GIB)); do
	check "zeroes byte $place" cmp -n 4096 /dev/zero <(at if="$DISK" skip=$((place / 4096)) iflag=direct)
done
check "and not what is behind" cmp "$WORK/page" <(at if="$DISK" skip=$((5 * GIB / 4096)) iflag=direct)
check "destroy" destroy

finish
