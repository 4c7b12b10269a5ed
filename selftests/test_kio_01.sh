#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is written is read again, whoever moves the bytes: the daemon, or the kernel
# for one request or for all of a range.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio jq

verify() {
	fio --name=verify --filename="$DISK" --rw=randwrite --ioengine=libaio --iodepth=16 --size=4M --direct=1 \
		--randrepeat=0 --verify=crc32c --verify_fatal=1 --do_verify=1 --verify_state_save=0 \
		--output="$WORK/fio" "$@"
}

# modes NAME IMAGE MODE...
modes() {
	local mode spec=$2
	for mode in "${@:3}"; do
		create -a "$spec" --kernel-io="$mode"
		same "$1, $mode: it is in use" "$mode" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
		check "$1, $mode: fio verify, 4 KiB" verify --bs=4k
		check "$1, $mode: fio verify, 512 B to 1 MiB" verify --bssplit=512/10:3584/20:4k/30:68k/30:1M/10
		check "$1, $mode: fio verify, through the page cache" verify --direct=0 --bs=16k --end_fsync=1
		case $mode in
		off) check "$1, $mode: by the daemon" counts 'ios_redirect == 0 and .ios_extent == 0' ;;
		redirect) check "$1, $mode: by redirects" counts 'ios_redirect > 1500 and .ios_extent == 0' ;;
		auto) check "$1, $mode: by extents" counts 'ios_extent > 1500 and .extents > 0' ;;
		esac
		check "$1, $mode: no error" counts 'ios_retry == 0 and .rejected == 0'
		sums=$(sha256sum <"$DISK")
		check "$1, $mode: destroy" destroy
		[[ $spec == scatter:* ]] || same "$1, $mode: the image has it" "$sums" "$(sha256sum <"${spec#aio:}")"
	done
}

image disk.img 32M
ALL=(off redirect auto)
modes "a file" "aio:$IMAGE" "${ALL[@]}"
if modprobe -q brd rd_nr=1 rd_size=32768; then
	modes "a device" aio:/dev/ram0 "${ALL[@]}"
	check "the device is let go" modprobe -r brd
else
	skip "a device" "no brd"
fi
image store.img 32M
modes "scattered blocks" "scatter:$IMAGE" "${ALL[@]}"
modes "small scattered blocks" "scatter:$IMAGE,block=64K" auto

finish
