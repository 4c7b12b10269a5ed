#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The power goes off below: what was said to be durable is there, whenever that happens,
# whoever moved the bytes. The image is a block device.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/power.sh"
setup tap-ctl jq dmsetup durable_write durable_log
power_setup

for mode in off redirect auto; do
	logged_disk 16M
	create -a "aio:$LOGGED" --kernel-io=$mode
	promises=$(durable_write -t "$POWER_SECONDS" "$LOGGED_NAME" "$DISK")
	check "$mode: much was promised, $promises times" enough "$promises"
	check "$mode: who moved the bytes" moves $mode
	check "$mode: destroy" destroy
	must logged_disk_gone
	check "$mode: every promise is kept, at every cut" durable_log check "$LOG" "$LOGGED_SIZE"
	note "$(cat "$WORK/check")"
done

finish
