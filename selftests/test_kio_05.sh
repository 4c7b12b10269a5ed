#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# I/O by the kernel fails: the range goes back to the daemon, which asks the image
# itself; the world is told.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq dmsetup losetup
log_expect 'I/O error, dev (dm-|xen)|Buffer I/O error'

# table TARGET...: the device is this from now on.
table() {
	dmsetup suspend --noflush bad && dmsetup load bad --table "0 $sectors $*" && dmsetup resume bad
}

modprobe -q loop
image disk.img 16M
must dd if=/dev/urandom of="$IMAGE" bs=1M count=16
loop=$(losetup -f --show --direct-io=on "$IMAGE") || die "no loop device"
sectors=$(blockdev --getsz "$loop")
must dmsetup create bad --table "0 $sectors linear $loop 0"
must dmsetup mknodes bad

create -a aio:/dev/mapper/bad
background tap-ctl monitor
monitor=$JOB
check "an extent" counts 'extents == 1'
same "it is read" "$(sha256sum <"$IMAGE")" "$(sha256sum <"$DISK")"
check "by the kernel" counts 'ios_extent > 0 and .ios_daemon == 0'

must table error
check_not "a read fails" dd if="$DISK" of=/dev/null bs=4k count=1 skip=5 iflag=direct
check "the extent is gone" counts 'extents == 0 and .ios_retry >= 1'
check "an event tells" wait_for 10 grep -q "event=extent-dropped minor=0 .*error=Input/output error" "$WORK/job.$monitor"

must table linear "$loop" 0
check "a read succeeds again" dd if="$DISK" of="$WORK/block" bs=4k count=1 skip=5 iflag=direct
check "it is right" cmp -n 4096 -i 0:20480 "$WORK/block" "$IMAGE"
check "a write, too" dd if="$WORK/block" of="$DISK" bs=4k count=1 seek=9 oflag=direct
check "not by an extent" counts 'extents == 0 and .ios_redirect >= 2'
same "until somebody asks for it" auto "$(tap-ctl kernel-io -p "$PID" -m 0 auto)"
check "then there is one" counts 'extents == 1'
same "the old data are right" "$(sha256sum <"$IMAGE")" "$(sha256sum <"$DISK")"
kill "$monitor"
reap "$monitor"
check "destroy" destroy
must dmsetup remove bad
must losetup -d "$loop"

finish
