# SPDX-License-Identifier: GPL-2.0-only
# Ours: a tapdisk for each disk.
# shellcheck shell=bash

# Without a driver that does nothing, memory is the nearest thing.
start_blktap_null() {
	start_blktap "null:$size" && return
	reason='' remark="no null: driver, so ram:"
	start_blktap_ram
}

start_blktap_ram() {
	start_blktap "ram:$size" && fill "$device" oflag=direct
}

start_blktap_brd() {
	next_brd && start_blktap "aio:$brd" "$1"
}

start_blktap_ext4() {
	start_blktap "aio:$(ext4_file "blktap-$1")" "$1"
}

# All blocks have a place, at random, before anything is measured.
start_blktap_scattered() {
	next_brd && start_blktap "scatter:$brd,block=2M,seed=7" "$1" && fill "$device" oflag=direct
}

# start_blktap IMAGE [KERNEL-IO]
start_blktap() {
	module blktap || return
	device=$(attempt tap-ctl create --queues "$queues" -a "$1" --kernel-io="${2:-auto}") || { missing "tap-ctl: $(said)"; return; }
	pid=$(tap-ctl list -m "${device##*tapdev}" | sed -n 's/^pid=\([0-9]*\) .*/\1/p')
}
