# SPDX-License-Identifier: GPL-2.0-only
# The kernel's nbd client over a Unix socket, with two servers.
# shellcheck shell=bash

start_nbdkit_null() {
	start_nbdkit null
}

start_nbdkit_memory() {
	start_nbdkit memory && fill "$device" oflag=direct
}

# start_nbdkit PLUGIN: with as many connections as the others have queues.
start_nbdkit() {
	local socket=$work/nbdkit-$1.sock
	module nbd || return
	"$servers/nbdkit" --foreground --unix "$socket" "$servers/nbdkit-$1-plugin.so" "size=$size" >"$work/said" 2>&1 &
	connect_nbd $! "$socket" "$queues"
}

start_qemu_nbd_null() {
	start_qemu_nbd null --image-opts "driver=null-co,size=$size,read-zeroes=off"
}

start_qemu_nbd_brd() {
	next_brd && start_qemu_nbd brd --cache=none --aio=native -f raw "$brd"
}

# start_qemu_nbd NAME ARGS...
start_qemu_nbd() {
	local socket=$work/qemu-$1.sock
	shift
	module nbd || return
	qemu-nbd --persistent --shared=0 --socket="$socket" "$@" >"$work/said" 2>&1 &
	connect_nbd $! "$socket" "$queues"
}

# connect_nbd PID SOCKET CONNECTIONS
connect_nbd() {
	local nbd=/dev/nbd$((nbds++))
	pid=$1
	if ! wait_for "$pid" test -S "$2" ||
		! attempt nbd-client -unix "$2" "$nbd" -block-size 512 -connections "$3" >/dev/null ||
		! wait_for "$pid" has_size "$nbd"; then
		stop "$pid"
		missing "nbd: $(said)"
		return
	fi
	device=$nbd
}
