# SPDX-License-Identifier: GPL-2.0-only
# Devices without a process behind them: how much the block layer itself costs.
# shellcheck shell=bash

start_null_blk() {
	module null_blk nr_devices=1 queue_mode=2 irqmode=0 "submit_queues=$queues" poll_queues=0 \
		hw_queue_depth=128 max_sectors=2048 gb=1 bs=512 || return
	device=/dev/nullb0
}

start_brd() {
	next_brd || return
	device=$brd
}

# next_brd: a RAM disk that nobody has yet, full, in $brd. The others take no
# memory.
next_brd() {
	[ -b /dev/ram0 ] || module brd rd_nr=16 "rd_size=$((size >> 10))" || return
	brd=/dev/ram$((brds++))
	fill "$brd" oflag=direct || missing "$brd: $(said)"
}

start_loop_tmpfs() {
	start_loop "$(tmpfs_file loop)" off
}

start_loop_ext4() {
	start_loop "$(ext4_file loop)" on
}

# The file itself: no disk at all.
start_ext4_file() {
	device=$(ext4_file file)
}

# start_loop FILE DIRECT
start_loop() {
	module loop || return
	device=$(attempt losetup -f --show --direct-io="$2" "$1") || missing "losetup: $(said)"
}

# tmpfs_file NAME, ext4_file NAME: print the path of a new file. It is written
# to, so that no block has to be allocated while we measure.
tmpfs_file() {
	mkdir -p "$work/tmpfs"
	mountpoint -q "$work/tmpfs" || mount -t tmpfs -o size="$((size + (64 << 20)))" tmpfs "$work/tmpfs"
	fill "$work/tmpfs/$1" && echo "$work/tmpfs/$1"
}

ext4_file() {
	fill "/var/tmp/$1" oflag=direct && echo "/var/tmp/$1"
}
