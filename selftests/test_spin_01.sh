#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# --spin: at queue depth 1 waits end by spinning, or none does; data is right both
# times, and a pause changes nothing.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio jq

image disk.img 16M
must dd if=/dev/urandom of="$WORK/data" bs=1M count=16

spins() { tap-ctl stats -p "$PID" -m "$MINOR" | jq '[.queues[].spins] | add'; }
metric() { tap-ctl stats -p "$PID" -m "$MINOR" --openmetrics | sed -n 's/^blktap_spins_total{.*queue="0"} //p'; }

# load TEXT: one request at a time.
load() {
	check "$1" fio --name=spin --filename="$DISK" --rw=randrw --bs=4k --direct=1 --ioengine=psync \
		--size=16M --io_size=8M --randrepeat=0 --verify=crc32c --verify_fatal=1 \
		--verify_state_save=0 --output="$WORK/fio"
	# Enough of them for some trials.
	must fio --name=read --filename="$DISK" --rw=randread --bs=4k --direct=1 --ioengine=psync --size=16M \
		--time_based --runtime=3 --output="$WORK/fio"
}

# with_spin MICROSECONDS: COUNTED of it, and after a pause COUNTED_MORE.
with_spin() {
	create -a "aio:$IMAGE" --queues 1 --spin "$1"
	check "--spin $1: data is written" dd if="$WORK/data" of="$DISK" bs=1M oflag=direct
	check "--spin $1: and read" cmp "$WORK/data" <(dd if="$DISK" bs=1M iflag=direct status=none)
	load "--spin $1: fio verify, one request at a time"
	COUNTED=$(spins)
	same "--spin $1: the metric says the same" "$COUNTED" "$(metric)"
	must tap-ctl pause -p "$PID" -m "$MINOR"
	must tap-ctl unpause -p "$PID" -m "$MINOR"
	load "--spin $1: and after a pause"
	COUNTED_MORE=$(($(spins) - COUNTED))
	note "--spin $1: $COUNTED waits ended by spinning, and $COUNTED_MORE after a pause"
	check "--spin $1: destroy" destroy
}

with_spin 0
same "--spin 0 counts none" "0 0" "$COUNTED $COUNTED_MORE"
if [ "$(nproc)" -gt 1 ]; then
	with_spin 200
	check "--spin 200 counts some" test "$COUNTED" -gt 0
	check "after a pause, too" test "$COUNTED_MORE" -gt 0
else
	skip "--spin 200 counts some" "one processor"
fi
refused "--spin 1001" 22 'spin' tap-ctl create -a "aio:$IMAGE" --spin 1001

finish
