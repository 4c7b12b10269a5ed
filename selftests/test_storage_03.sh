#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The storage below does less than it was asked, or fails now and then: what was
# acknowledged is there, and the rest is an error.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/storage.sh"
setup tap-ctl jq fuse_hang dmsetup
log_expect_errors
log_expect 'I/O error, dev dm-|Buffer I/O error'
BLOCKS=256
SECTORS=16384

must dd if=/dev/urandom of="$WORK/bytes" bs=4k count=$BLOCKS

# One request of 64 KiB.
write_long() { outcome if="$WORK/bytes" of="$DISK" bs=64k count=1 oflag=direct seek="$1"; }
read_long() { outcome if="$DISK" of="$WORK/read" bs=64k count=1 iflag=direct skip="$1"; }

# Short transfers, of whole blocks or not. Not asynchronous: FUSE makes an error of a
# short write then.
modprobe -q fuse
if [ -c /dev/fuse ]; then
	image backing 4M
	hanging -s -f "$WORK/faults" "$IMAGE"
	one_tapdisk
	monitor
	for i in 0 1 2; do
		mode=${MODES[i]} place=$((i * 3))
		open_disk "$mode" -a "aio:$WORK/fuse/image$i" --kernel-io="$mode"
		for bytes in 4096 1536 1000; do
			echo "write short $bytes" >"$WORK/faults"
			same "$mode: a write, $bytes bytes at a time" "done" "$(write_long $place)"
			rm "$WORK/faults"
			same "$mode: a read" "done" "$(read_long $place)"
			check "$mode: it is right" is_right 16
			echo "read short $bytes" >"$WORK/faults"
			same "$mode: a read, $bytes bytes at a time" "done" "$(read_long $place)"
			check "$mode: it is right" is_right 16
			place=$((place + 1))
		done
		echo "read short 100" >"$WORK/faults"
		same "$mode: less than a sector is an error" "Input/output error" "$(read_long 0)"
		told_of_failure "$mode" "op=read offset=0 length=65536"
		echo "write short 100" >"$WORK/faults"
		same "$mode: of a write, too" "Input/output error" "$(write_long 20)"
		rm "$WORK/faults"
	done
	close_all
	let_go
else
	skip "short transfers" "needs /dev/fuse"
fi

# block_to_disk N: the block of that number, to its place.
block_to_disk() { outcome if="$WORK/bytes" of="$DISK" bs=4k count=1 skip="$1" seek="$1" oflag=direct; }

# now_and_then MODE: writes until many have been acknowledged and many not; the numbers of
# those that were are in ACKNOWLEDGED, and FAILED is how many were not.
now_and_then() {
	local i outcome
	ACKNOWLEDGED=() FAILED=0
	for ((i = 0; i < BLOCKS; i++)); do
		((i % 16)) || must tap-ctl kernel-io -p "$PID" -m "$MINOR" "$1"
		outcome=$(block_to_disk "$i")
		case $outcome in
		"done") ACKNOWLEDGED+=("$i") ;;
		"Input/output error") FAILED=$((FAILED + 1)) ;;
		*) note "block $i: $outcome"; return 1 ;;
		esac
		[ "$FAILED" -lt 8 ] || [ ${#ACKNOWLEDGED[@]} -lt 8 ] || return 0
	done
	note "${#ACKNOWLEDGED[@]} acknowledged, $FAILED not"
	return 1
}

all_there() {
	local i
	for i in "${ACKNOWLEDGED[@]}"; do
		dd if="$DISK" of="$WORK/block" bs=4k count=1 skip="$i" iflag=direct status=none || return
		cmp -n 4096 -i "0:$((i * 4096))" "$WORK/block" "$WORK/bytes" || return
	done
}

if ram_disk 8M && modprobe -q dm-flakey; then
	must dmsetup create blktap-flakey --noudevsync --table "0 $SECTORS linear $RAM 0"
	must dmsetup mknodes blktap-flakey
	one_tapdisk
	monitor
	disk_of=() minor_of=()
	open_disk other -a ram:4M
	for mode in "${MODES[@]}"; do
		open_disk flakey -a aio:/dev/mapper/blktap-flakey --kernel-io="$mode"
		must table blktap-flakey flakey "$RAM" 0 1 1
		now_and_then "$mode"
		same "$mode: writes succeed or fail, and say so" 0 $?
		must table blktap-flakey linear "$RAM" 0
		check "$mode: the ${#ACKNOWLEDGED[@]} that were acknowledged are there, $FAILED failed" all_there
		told_of_failure "$mode" "op=write offset=[0-9]+ length=4096"
		check "$mode: the log names the device" logged "tapdev$MINOR: write of .* of /dev/mapper/blktap-flakey: Input/output error"
		check "$mode: destroy" tap-ctl destroy -p "$PID" -m "$MINOR"
		unset 'disk_of[flakey]'
	done
	told_nothing other
	close_all
	must dmsetup remove --noudevsync blktap-flakey
	modprobe -q -r brd
else
	skip "now and then" "needs brd and dm-flakey"
fi

finish
