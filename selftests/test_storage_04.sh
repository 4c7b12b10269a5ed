#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Somebody deletes, replaces or cuts the image while it is used: the disk keeps what it
# has open, and after a pause takes what is there, if that is no smaller.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/storage.sh"
setup tap-ctl jq
log_expect_errors

must dd if=/dev/urandom of="$WORK/bytes" bs=4k count=16
must dd if=/dev/urandom of="$WORK/others" bs=4k count=16
image other.img 4M

pause() { tap-ctl pause -p "$PID" -m "$MINOR"; }
unpause() { tap-ctl unpause -p "$PID" -m "$MINOR"; }
# new_image FILE SIZE: with other data in block 5.
new_image() {
	must truncate -s "$2" "$1"
	must dd if="$WORK/others" of="$1" bs=4k count=1 seek=5 conv=notrunc
}

one_tapdisk
open_disk other -a "aio:$WORK/other.img" --kernel-io=off
for mode in "${MODES[@]}"; do
	image "$mode.img" 4M
	open_disk "$mode" -a "aio:$IMAGE" --kernel-io="$mode"

	# Replaced.
	same "$mode: a write" "done" "$(write_at 5)"
	new_image "$WORK/new.img" 4M
	must mv "$WORK/new.img" "$IMAGE"
	same "$mode, replaced: a read" "done" "$(read_at 5)"
	check "$mode, replaced: it is what was written" is_right
	same "$mode, replaced: a write" "done" "$(write_at 9)"
	check "$mode, replaced: the new file is left alone" cmp -n 4096 -i $((9 * 4096)):0 "$IMAGE" /dev/zero
	check "$mode, replaced: pause" pause
	check "$mode, replaced: unpause" unpause
	same "$mode, replaced: a read" "done" "$(read_at 5)"
	check "$mode, replaced: now it is the new one" cmp -n 4096 "$WORK/read" "$WORK/others"
	same "$mode, replaced: in use again" "$mode" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"

	# Deleted, then replaced by a smaller one.
	must mv "$IMAGE" "$WORK/kept.img"
	check "$mode, deleted: a write goes on" [ "$(write_at 7)" = "done" ]
	check "$mode, deleted: pause" pause
	refused "$mode, deleted: unpause" 2 "$IMAGE" unpause
	new_image "$IMAGE" 2M
	refused "$mode, replaced by a smaller one: unpause" 124 "$IMAGE" unpause
	background dd if="$DISK" of="$WORK/read" bs=4k skip=7 count=1 iflag=direct
	check "$mode: a read waits" wait_for 10 blocked "$JOB"
	must mv "$WORK/kept.img" "$IMAGE"
	check "$mode: with the right one back, unpause" unpause
	ends "$mode: the read goes through" 0 "$JOB"
	check "$mode: it is right" is_right

	# Cut.
	must truncate -s 1M "$IMAGE"
	same "$mode, cut: a read of what is gone fails" "Input/output error" "$(read_at 512)"
	check "$mode, cut: the log names the image" \
		logged "tapdev$MINOR: read of 4096 bytes at 2097152 of $IMAGE: Input/output error"
	same "$mode, cut: what is left can be read" "done" "$(read_at 7)"
	check "$mode, cut: it is right" is_right
	check "$mode, cut: pause" pause
	refused "$mode, cut: unpause" 124 "$IMAGE" unpause
	must truncate -s 4M "$IMAGE"
	check "$mode, long enough again: unpause" unpause
	same "$mode: what was cut reads as zeroes" "done" "$(read_at 512)"
	check "$mode: indeed" cmp -n 4096 "$WORK/read" /dev/zero

	DISK=${disk_of[other]}
	same "$mode: the other disk notices nothing" "done" "$(write_at 5)"
done
close_all

finish
