#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# FUA, where the file system below passes O_DSYNC on and does no more, as FUSE does: it is
# answered when what was written has been synced, whoever else serves the disk. Where the
# file system does what it says, the kernel goes on serving FUA by itself.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq fuse_hang fio

# writes N [FIO OPTION...]: so many of 4 KiB, one after the other. Asynchronous ones: after
# others with O_DSYNC the block layer flushes all the same.
writes() {
	fio --name=writes --filename="$DISK" --rw=write --bs=4k --size=$(($1 * 4))k --direct=1 --ioengine=libaio "${@:2}"
}
durable() { writes "$@" --sync=dsync; }

queue() { cat "/sys/block/xen!blktap-2!tapdev$MINOR/queue/$1"; }

# mark; did: what the file system has done since.
mark() { MARK=$(wc -l <"$WORK/job.$HANG"); }
did() { tail -n "+$((MARK + 1))" "$WORK/job.$HANG" | sed -n 's/^did //p' | tr '\n' ';'; }

# times N TEXT
times() { printf "$2%.0s" $(seq "$1"); }

# not_answered JOB: the write is under way still, and so is the sync.
not_answered() { ! job_gone "$1" && waiting 1 && [ "$(did)" = "write;" ]; }

# syncs MODE: with FUA each write.
syncs() {
	mark
	check "$1: 4 with FUA" durable 4
	same "$1: each is synced" "$(times 4 "write;fsync;")" "$(did)"
}

# over_fuse MODE
over_fuse() {
	local held
	create -a "aio:$WORK/fuse/image" --kernel-io="$1"
	same "$1: the disk has FUA" 1 "$(queue fua)"
	mark
	check "$1: 32 writes" writes 32
	same "$1: they do not sync" "$(times 32 "write;")" "$(did)"
	check "$1: who moved the bytes" moves "$1"
	syncs "$1"
	mark
	held=$(grep -cx "held fsync" "$WORK/job.$HANG")
	hang
	background durable 1
	check "$1: the sync does not end" wait_for 10 held fsync $((held + 1))
	check "$1: nor does the write" not_answered "$JOB"
	answer
	ends "$1: it does when that does" 0 "$JOB"
	check "$1: what was written so is there" durable 32 --verify=crc32c --verify_fatal=1 --verify_state_save=0
	check "$1: destroy" destroy
}

modprobe -q fuse
if [ -c /dev/fuse ]; then
	image backing 4M
	hanging -t -o fsync "$IMAGE"
	for mode in off redirect auto; do
		over_fuse "$mode"
	done
	let_go
	if ram_disk 4M; then
		hanging -t -b "$RAM" "$IMAGE"
		for mode in off redirect auto; do
			create -a "aio:$WORK/fuse/image" --kernel-io="$mode"
			syncs "on a device, $mode"
			check "$mode: destroy" destroy
		done
		let_go
	else
		skip "FUSE on a device" "needs brd"
	fi
else
	skip "FUA over FUSE" "needs /dev/fuse"
fi

# An overlay has no device, and so is not relied on either.
mkdir "$WORK/lower" "$WORK/upper" "$WORK/work" "$WORK/mnt"
if mount -t overlay -o "lowerdir=$WORK/lower,upperdir=$WORK/upper,workdir=$WORK/work" overlay "$WORK/mnt" 2>/dev/null; then
	image mnt/disk.img 4M
	for mode in redirect auto; do
		create -a "aio:$IMAGE" --kernel-io="$mode"
		check "overlay, $mode: 32 writes" writes 32
		check "overlay, $mode: who moved the bytes" moves "$mode"
		check "overlay, $mode: 32 with FUA" durable 32
		check "overlay, $mode: the tapdisk has served them" counts "ios_daemon >= 32"
		check "overlay, $mode: destroy" destroy
	done
	check "umount" umount "$WORK/mnt"
else
	skip "FUA over an overlay" "cannot mount one"
fi

if [[ $(mountpoint -d "$(stat -c %m "$WORK")") != 0:* ]]; then
	image disk.img 4M
	for mode in redirect auto; do
		create -a "aio:$IMAGE" --kernel-io="$mode"
		check "$mode: 32 with FUA, of a file on a device" durable 32
		check "$mode: the kernel has served them" moves "$mode" 31
		check "$mode: destroy" destroy
	done
else
	skip "FUA over a device" "needs a file system on one"
fi

finish
