#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk in a memory cgroup: in a small one it serves; where it does not fit it is
# killed before it serves anything; and if the limit falls below what it has, requests
# may wait or fail, and all is well when there is room again. And a writer in one,
# three times as small as what it writes.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq fio mkfs.ext4 e2fsck
TAPDISK=${TAPDISK:-/usr/libexec/blktap/tapdisk}
[ -x "$TAPDISK" ] || skip_all "needs $TAPDISK"
# What the OOM killer says, with the stack of who it was that wanted memory.
log_expect 'invoked oom-killer|no killable processes|[Mm]emory cgroup|memory: usage|swap: usage|kmem: usage|oom-kill:|oom_reaper'
log_expect '^<4>[[][ 0-9.]+[]] +(CPU:|Tainted:|Hardware name:|Call Trace:|</?TASK>|[?] |[A-Za-z0-9_.]+[+]0x|R[A-Z0-9]+:|Code:|ORIG_RAX|PKRU)'
log_expect_errors
LOG_FATAL=${LOG_FATAL/|Call Trace/}

CGROUPS=$WORK/cgroup
GROUP=$CGROUPS/tight
mkdir "$CGROUPS"
tidy() {
	rmdir "$GROUP"
	umount "$CGROUPS"
} 2>/dev/null
trap 'tidy; ended_early' EXIT
group() { mount -t cgroup2 none "$CGROUPS" && echo +memory >"$CGROUPS/cgroup.subtree_control" && mkdir "$GROUP"; }
group 2>/dev/null || skip_all "needs the memory controller of cgroup v2"

# What a program has after exec is its group's.
enter() {
	echo $BASHPID >"$GROUP/cgroup.procs"
	exec "$@"
}

# start LIMIT: a tapdisk that may have so much; PID.
start() {
	echo "$1" >"$GROUP/memory.max"
	background enter "$TAPDISK" -D
	PID=$JOB
}
listens() { [ -S "$CONTROL/ctl$PID" ]; }
decided() { listens || job_gone "$PID"; }
memory() { cat "$GROUP/memory.current"; }
# own: what it cannot be without. The group's count has what processors have got in advance, too.
own() { awk '/^Anonymous:/ { print $2 * 1024 }' "/proc/$PID/smaps_rollup"; }

# verify TEXT
verify() {
	check "$1" within 60 fio --name=verify --filename="$DISK" --rw=randwrite --direct=1 --ioengine=libaio \
		--iodepth=16 --size=8M --bssplit=4k/50:68k/40:1M/10 --randrepeat=0 --verify=crc32c \
		--verify_fatal=1 --do_verify=1 --verify_state_save=0 --output="$WORK/fio"
}

# starve: less than it has, and then enough.
starve() {
	echo $((idle / 2)) >"$GROUP/memory.max"
	background dd if=/dev/zero of="$DISK" bs=1M count=8 oflag=direct
	sleep 3
	note "3 s without room: $(job_gone "$JOB" && echo "it is over" || echo "it waits")"
	echo max >"$GROUP/memory.max"
	reap "$JOB" 30
	note "status $REAPED: $(tail -n 1 "$WORK/job.$JOB")"
	check "the limit falls below what it has, for a while: who writes comes to an end" test "$REAPED" -lt 124
	verify "there is room again: fio verify"
}

# One outside has the program and its libraries in memory. Otherwise they would be read again and
# again into a group without room for them.
background "$TAPDISK" -D
PID=$JOB outside=$JOB
wait_for 20 listens || die "no tapdisk: $(cat "$WORK/job.$PID")"

image disk.img 16M
for each in "64 off" "32 off" "8 off" "8 redirect" "8 auto"; do
	read -r limit mode <<<"$each"
	start "${limit}M"
	wait_for 20 listens || die "no tapdisk in $limit MiB: $(cat "$WORK/job.$PID")"
	idle=$(memory) least=$(own)
	create_in "$PID" -a "aio:$IMAGE" --kernel-io="$mode"
	verify "$limit MiB, $mode: fio verify"
	check "$limit MiB, $mode: who moved the bytes" moves "$mode"
	note "$(($(memory) >> 10)) KiB of $limit MiB are used, without a disk $((idle >> 10)) KiB"
	[ "$limit" != 8 ] || starve
	check "$limit MiB, $mode: destroy" destroy
	ends "$limit MiB, $mode: the tapdisk ends" 0 "$PID"
done

note "without a disk $((least >> 10)) KiB are its own"
start $((least * 3 / 4))
wait_for 20 decided
check_not "three quarters of what it needs: it does not serve" listens
reap "$PID" 5
same "three quarters of what it needs: it is killed" 137 "$REAPED"
check "three quarters of what it needs: by the OOM killer" grep -Eq '^oom_kill [1-9]' "$GROUP/memory.events"
kill -TERM "$outside"
ends "the one outside ends" 0 "$outside"

# What a writer in the group has dirtied has to be written before it may go on.
full() { awk '$1 == "max" { print $2 }' "$GROUP/memory.events"; }
image file-system.img 300M
mkdir "$WORK/mnt"
create -a "aio:$IMAGE" --kernel-io=off
must mkfs.ext4 -q "$DISK"
must mount "$DISK" "$WORK/mnt"
echo 64M >"$GROUP/memory.max"
before=$(full)
# Where the host is slow, the kernel may think that nothing is being written, and kill him.
for attempt in 1 2 3; do
	background enter fio --name=dirty --directory="$WORK/mnt" --thread --rw=write --bs=1M --size=192M --fallocate=none \
		--end_fsync=1 --verify=md5 --do_verify=1 --verify_fatal=1 --verify_state_save=0
	reap "$JOB" 150
	[ "$REAPED" = 137 ] || break
	note "attempt $attempt: killed, $(grep oom_kill "$GROUP/memory.events")"
done
same "a writer in 64 MiB writes 192 MiB and reads them" 0 "$REAPED"
times=$(($(full) - before))
check "it had no more memory, $times times" test $times -ge 100
check "who moved the bytes" moves off
must umount "$WORK/mnt"
check "the file system is intact" e2fsck -fn "$DISK"
check "destroy" destroy
echo max >"$GROUP/memory.max"
wait_for 5 rmdir "$GROUP"
must umount "$CGROUPS"

finish
