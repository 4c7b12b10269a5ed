#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The device below is unplugged: errors, for its disk alone. When it is back the disk
# goes on with it after a pause.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/storage.sh"
setup tap-ctl jq
log_expect_errors
log_expect 'I/O error, dev sd|Buffer I/O error|scsi_debug|Power-on or device reset|Synchroniz(e|ing) SCSI|sd [0-9:]+ '

FOUND='/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*:*'
there() { compgen -G "$FOUND/block/*"; }
# plugged: the device, and in SCSI its place.
plugged() {
	wait_for 10 there || return
	SCSI=$(compgen -G "$FOUND" | head -n 1)
	PLUGGED=/dev/$(ls "$SCSI/block")
	wait_for 5 test -b "$PLUGGED"
}
plug_in() { echo "- - -" >"$(compgen -G '/sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/scsi_host/host*/scan')"; }

modprobe -q sd_mod
{ modprobe -q scsi_debug dev_size_mb=8 && plugged; } || skip_all "needs scsi_debug"
must dd if=/dev/urandom of="$WORK/bytes" bs=4k count=16
image other.img 4M
one_tapdisk
monitor
open_disk other -a "aio:$IMAGE" --kernel-io=off

for mode in "${MODES[@]}"; do
	unset 'disk_of[scsi]'
	open_disk scsi -a "aio:$PLUGGED" --kernel-io="$mode"
	device=$PLUGGED
	same "$mode: in use" "$mode" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
	same "$mode: a write" "done" "$(write_at 5)"
	echo 1 >"$SCSI/delete"
	same "$mode, unplugged: a read fails" "Input/output error" "$(read_at 5)"
	told_of_failure "$mode" "op=read offset=20480 length=4096"
	same "$mode, unplugged: a write, too" "Input/output error" "$(write_at 6)"
	same "$mode, unplugged: and a sync" "Input/output error" "$(outcome if=/dev/zero of="$DISK" count=0 conv=fsync)"
	check "$mode, unplugged: the log names the device" \
		logged "tapdev$MINOR: write of 4096 bytes at 24576 of $device: "
	DISK=${disk_of[other]}
	same "$mode, unplugged: the other disk notices nothing" "done done" "$(write_at 5) $(read_at 5)"
	check "$mode, unplugged: it is right" is_right
	choose scsi
	check "$mode, unplugged: a pause" tap-ctl pause -p "$PID" -m "$MINOR"
	check_not "$mode, unplugged: it cannot be opened" tap-ctl unpause -p "$PID" -m "$MINOR" -a aio:/dev/nothing
	plug_in
	check "$mode: plugged in" plugged
	check "$mode: the disk goes on with it" tap-ctl unpause -p "$PID" -m "$MINOR" -a "aio:$PLUGGED"
	same "$mode: what was written" "done" "$(read_at 5)"
	check "$mode: is there" is_right
	same "$mode: and a write" "done" "$(write_at 6)"
	check "$mode: destroy" tap-ctl destroy -p "$PID" -m "$MINOR"
done
unset 'disk_of[scsi]'
told_nothing other
close_all
check "all is let go" wait_for 10 modprobe -r scsi_debug

finish
