#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# By force: with a mounted file system above and a tapdisk that is stopped, hangs in its
# image, or is well, a disk goes within 10 s.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl mkfs.ext4 fuse_hang fio jq
modprobe -q fuse
[ -c /dev/fuse ] || skip_all "needs /dev/fuse"
log_expect_errors
log_expect 'EXT4-fs|JBD2|[Aa]borting journal|Remounting filesystem|I/O error|lost (sync|async) page write|shut down|[Cc]apacity change|no daemon for'

MNT=$WORK/mnt
mkdir "$MNT"

# mounted IMAGE OPTION...: a disk with a file system in use; WRITER is the one who uses it
mounted() {
	create -a "$@"
	must mkfs.ext4 -q -F "$DISK"
	must mount "$DISK" "$MNT"
	background fio --name=writer --directory="$MNT" --rw=randwrite --bs=4k --size=4M --fsync=8 --time_based --runtime=300
	WRITER=$JOB
	wait_for 10 test -s "$MNT/writer.0.0" || die "nobody writes"
}
# by_force TEXT ARGUMENT...: tap-ctl, in time; TOLD is what it says
by_force() {
	local text=$1 start=$SECONDS
	shift
	check "$text" tap-ctl "$@"
	TOLD=$(cat "$WORK/check")
	check "in $((SECONDS - start)) s" test $((SECONDS - start)) -lt $((10 * SLOWNESS))
}
no_disk() { [ ! -b "$DISK" ]; }
gone() {
	check "the disk is gone" wait_for 5 no_disk
	fails "its user gets an error" "$WRITER" 60
	check "and lets it be unmounted" within 60 umount "$MNT"
}

image disk.img 32M
mounted "aio:$IMAGE"
refused "without force: busy" 16 'still open' tap-ctl destroy -p "$PID" -m "$MINOR"
by_force "close -f of a mounted disk" close -f -p "$PID" -m "$MINOR"
gone
same "its tapdisk is as before" "pid=$PID minor=$MINOR state=0x2" "$(tap-ctl list)"
by_force "destroy -f of what is closed" destroy -f -p "$PID" -m "$MINOR"

for command in close destroy free; do
	mounted "aio:$IMAGE"
	other=$(tap-ctl allocate)
	other=${other##*tapdev}
	must tap-ctl attach -p "$PID" -m "$other"
	must tap-ctl open -p "$PID" -m "$other" -a ram:4M
	must kill -STOP "$PID"
	if [ $command = free ]; then
		by_force "free -f of a disk whose tapdisk is stopped" free -f -m "$MINOR"
	else
		by_force "$command -f of a disk whose tapdisk is stopped" $command -f -p "$PID" -m "$MINOR"
	fi
	same "what else it had is told" \
		"tap-ctl: tapdisk $PID was killed; its other disks need 'tap-ctl recover': tapdev$other" "$TOLD"
	gone
	[ $command != close ] || must tap-ctl free -m "$MINOR"
	check "the other disk is recovered" tap-ctl recover -m "$other" -a ram:4M
	must tap-ctl destroy -p "$(pid_of "$other")" -m "$other"
done

# What it had from its image will never be answered. Which is first is up to the file system: a
# FLUSH is an fsync to the image, and zeroes, which the kernel writes to what mkfs has left for later, a
# fallocate, behind which writes to a file wait.
hangs() { grep -qxE 'held (read|write|fsync|fallocate)' "$WORK/job.$HANG"; }
truncate -s 32M "$WORK/backing"
hanging "$WORK/backing"
mounted "aio:$WORK/fuse/image" --kernel-io=off
hang
wait_for 30 hangs || die "the image does not hang: $(tail -n 3 "$WORK/job.$HANG")"
by_force "destroy -f of a disk whose image hangs" destroy -f -p "$PID" -m "$MINOR"
gone
let_go

# A tapdisk that is dead.
mounted "aio:$IMAGE"
must kill -KILL "$PID"
refused "free without force: busy" 16 'open|attached' tap-ctl free -m "$MINOR"
by_force "free -f of a dead tapdisk's disk" free -f -m "$MINOR"
gone
refused "free -f of nothing" 19 'no such minor' tap-ctl free -f -m "$MINOR"
rm -f "$CONTROL"/ctl*

finish
