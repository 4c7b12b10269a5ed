#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Stacks and pressure: a file system on a tap on a file system, swap on a tap, whose
# I/O is charged to whoever made the request.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq fio mkfs.ext4 e2fsck mkswap swapon losetup
log_expect 'Adding .* swap on|memory-cgroup|EXT4-fs|a process writes what is swapped to it'

modprobe -q loop
CGROUPS=$WORK/cgroup
mkdir "$CGROUPS" "$WORK/mnt" "$WORK/below"

# inside GROUP COMMAND...: in a cgroup.
inside() {
	local group=$CGROUPS/$1
	shift
	(echo $BASHPID >"$group/cgroup.procs" && exec "$@")
}

# group NAME CONTROLLER: a new one, or the test's part is left out.
group() {
	mountpoint -q "$CGROUPS" || mount -t cgroup2 none "$CGROUPS" || return 1
	echo "+$2" >"$CGROUPS/cgroup.subtree_control" || return 1
	mkdir "$CGROUPS/$1"
} 2>/dev/null

# tree DIRECTORY: many files, some of which go again.
tree() {
	local i
	for i in {1..16}; do
		mkdir -p "$1/$((i % 5))" || return
		head -c $((i * 7001)) "$WORK/bytes" >"$1/$((i % 5))/$i" || return
		ln "$1/$((i % 5))/$i" "$1/link$i" || return
		mv "$1/link$i" "$1/other$i" || return
		[ $((i % 3)) -ne 0 ] || rm "$1/$(((i - 1) % 5))/$((i - 1))" || return
	done
}

# trees DIRECTORY: several at a time; the same each time.
trees() {
	local i job jobs=()
	for i in {1..3}; do
		tree "$1/$i" &
		jobs+=($!)
	done
	for job in "${jobs[@]}"; do
		wait "$job" || return
	done
	sync -f "$1"
}

must dd if=/dev/urandom of="$WORK/bytes" bs=1M count=1
must trees "$WORK/expected"

# A file system on a tap on a file on a file system on a tap on a file.
image disk.img 96M
for mode in off redirect auto; do
	create -a "aio:$IMAGE" --kernel-io=$mode
	below=$DISK below_minor=$MINOR below_pid=$PID
	must mkfs.ext4 -q "$DISK"
	must mount "$DISK" "$WORK/below"
	must truncate -s 64M "$WORK/below/disk.img"
	create -a "aio:$WORK/below/disk.img" --kernel-io=$mode
	must mkfs.ext4 -q "$DISK"
	must mount "$DISK" "$WORK/mnt"
	background fio --name=verify --directory="$WORK/mnt" --rw=randwrite --bs=4k --size=2M --direct=1 --ioengine=libaio \
		--iodepth=16 --verify=crc32c --verify_fatal=1 --verify_state_save=0
	load=$JOB
	check "$mode, tap over tap: files come and go" trees "$WORK/mnt/trees"
	ends "$mode, tap over tap: direct I/O beside them is right" 0 "$load" 200
	must umount "$WORK/mnt"
	echo 3 >/proc/sys/vm/drop_caches
	must mount "$DISK" "$WORK/mnt"
	check "$mode, tap over tap: all is there" diff -r "$WORK/expected" "$WORK/mnt/trees"
	must umount "$WORK/mnt"
	check "$mode, tap over tap: the file system is intact" e2fsck -fn "$DISK"
	check "$mode, tap over tap: nothing failed" counts 'ios_retry == 0 and .rejected == 0'
	check "$mode: destroy the upper one" destroy
	must umount "$WORK/below"
	DISK=$below MINOR=$below_minor PID=$below_pid
	check "$mode: the file system below is intact" e2fsck -fn "$DISK"
	check "$mode: destroy the lower one" destroy
done

# While the mode changes.
image disk.img 64M
create -a "aio:$IMAGE"
must mkfs.ext4 -q "$DISK"
must mount "$DISK" "$WORK/mnt"
background trees "$WORK/mnt/trees"
load=$JOB
switched=0
while ! job_gone "$load"; do
	for mode in redirect off auto; do
		[ "$(tap-ctl kernel-io -p "$PID" -m "$MINOR" $mode)" = $mode ] && switched=$((switched + 1))
	done
done
ends "files come and go while the mode changes" 0 "$load"
check "it did, $switched times" [ "$switched" -ge 3 ]
must umount "$WORK/mnt"
must mount "$DISK" "$WORK/mnt"
check "all is there" diff -r "$WORK/expected" "$WORK/mnt/trees"
must umount "$WORK/mnt"
check "the file system is intact" e2fsck -fn "$DISK"
check "destroy" destroy

# Swap. The bytes of a buffer that is larger than its cgroup should be go there and back.
swapped() {
	inside tight timeout $((120 * SLOWNESS)) dd if="$WORK/much" bs=48M count=1 iflag=fullblock | cmp - "$WORK/much"
}

image swap.img 128M
must dd if=/dev/zero of="$IMAGE" bs=1M count=128
if group tight memory; then
	must dd if=/dev/urandom of="$WORK/much" bs=1M count=48
	echo 24M >"$CGROUPS/tight/memory.high"
	for mode in redirect auto; do
		create -a "aio:$IMAGE" --kernel-io=$mode
		must mkswap "$DISK"
		must swapon "$DISK"
		check "$mode, swap: a buffer goes there and back, and is right" swapped
		must swapoff "$DISK"
		check "$mode, swap: the kernel moved it" counts 'ios_redirect + .ios_extent > 100 and .ios_retry == 0'
		check "$mode: destroy" destroy
	done
	# A tap below has to know what it is that it writes.
	create -a "aio:$IMAGE" --kernel-io=off
	lower=$MINOR lower_pid=$PID
	create -a "aio:$DISK" --kernel-io=auto
	must mkswap "$DISK"
	must swapon "$DISK"
	check "swap on a tap on a tap: a buffer goes there and back, and is right" swapped
	must swapoff "$DISK"
	check "the one below is told that it is swap" grep -q "tapdev$lower: a process writes what is swapped" <(dmesg)
	check "destroy the upper one" destroy
	PID=$lower_pid MINOR=$lower
	check "and the lower one" destroy
	rmdir "$CGROUPS/tight"
else
	skip "swap" "no memory controller"
fi

# io_of GROUP DEVICE: bytes written, by the group's account.
io_of() {
	sed -n "s/^$(lsblk -dnro MAJ:MIN "$2") .*wbytes=\([0-9]*\).*/\1/p" "$CGROUPS/$1/io.stat"
}

if group payer io; then
	image disk.img 16M
	loop=$(losetup -f --show "$IMAGE") || die "no loop device"
	create -a "aio:$loop"
	check "a cgroup writes" inside payer dd if="$WORK/bytes" of="$DISK" bs=64k count=16 oflag=direct
	check "by an extent" counts 'ios_extent >= 16'
	check "it pays for the disk" [ "$(io_of payer "$DISK")" -ge $((1 << 20)) ]
	check "and for the device below, where it wrote as well" [ "$(io_of payer "$loop")" -ge $((1 << 20)) ]
	tap-ctl kernel-io -p "$PID" -m "$MINOR" redirect >/dev/null
	was=$(io_of payer "$loop")
	check "it writes by redirects" inside payer dd if="$WORK/bytes" of="$DISK" bs=64k count=16 oflag=direct
	check "and pays" [ "$(io_of payer "$loop")" -ge $((was + (1 << 20))) ]
	check "destroy" destroy
	must losetup -d "$loop"
	wait_for 5 rmdir "$CGROUPS/payer"
else
	skip "cgroup accounts" "no io controller"
fi
! mountpoint -q "$CGROUPS" || must umount "$CGROUPS"

finish
