#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# FLUSH and FUA reach the image: seen in tapdisk's system calls.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl strace

SYNCS='fdatasync|fsync|RWF_DSYNC|IOCB_CMD_FDSYNC|IOCB_CMD_FSYNC'

tracing() { grep -q attached "$WORK/job.$tracer"; }
syncs() { grep -Ec "$SYNCS" "$WORK/trace"; }

# traced COMMAND...: how many syncs tapdisk makes meanwhile, in SYNCED
traced() {
	: >"$WORK/trace"
	background strace -f -p "$PID" -o "$WORK/trace" \
		-e trace=fdatasync,fsync,io_submit,pwritev2,pwrite64,sync_file_range
	tracer=$JOB
	wait_for 10 tracing || die "strace does not attach"
	"$@" >"$WORK/traced" 2>&1 || die "$*: $(cat "$WORK/traced")"
	kill -INT "$tracer"
	reap "$tracer"
	SYNCED=$(syncs)
}

image disk.img 8M
create -a "aio:$IMAGE"
same "the disk has a write cache" "write back" "$(cat '/sys/block/xen!blktap-2!tapdev0/queue/write_cache')"
traced dd if=/dev/zero of="$DISK" oflag=direct bs=64k count=4
same "writes alone do not sync" 0 "$SYNCED"
traced dd if=/dev/zero of="$DISK" oflag=direct bs=64k count=4 conv=fsync
check "fsync of the disk reaches the image ($SYNCED)" test "$SYNCED" -ge 1
traced dd if=/dev/zero of="$DISK" oflag=direct,dsync bs=64k count=4
check "so does each O_DSYNC write ($SYNCED)" test "$SYNCED" -ge 4
traced blockdev --flushbufs "$DISK"
check "destroy" destroy

finish
