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
	next_brd && start_blktap "aio:$brd"
}

start_blktap_ext4() {
	start_blktap "aio:$(ext4_file blktap)"
}

start_blktap() {
	module blktap || return
	device=$(attempt tap-ctl create --queues "$queues" -a "$1") || { missing "tap-ctl: $(said)"; return; }
	pid=$(tap-ctl list -m "${device##*tapdev}" | sed -n 's/^pid=\([0-9]*\) .*/\1/p')
}
