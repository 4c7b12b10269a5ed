#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# By force, while storage below does not answer what the kernel has begun there: that is
# said in time, nobody is killed in vain, and all goes away when it answers.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/storage.sh"
setup tap-ctl mkfs.ext4 fio dmsetup
log_expect_errors
log_expect 'EXT4-fs|JBD2|[Aa]borting journal|Remounting filesystem|I/O error|lost (sync|async) page write|shut down|[Cc]apacity change|no daemon for|still open'

MNT=$WORK/mnt
mkdir "$MNT"
{ ram_disk 32M && modprobe -q dm-mod; } || skip_all "needs brd and dm-mod"
STORE=/dev/mapper/blktap-force
must dmsetup create blktap-force --noudevsync --table "0 65536 linear $RAM 0"
must dmsetup mknodes blktap-force
ANSWERS="goes as soon as aio:$STORE answers"

stops() { must dmsetup suspend --noflush --nolockfs blktap-force; }
answers() { must dmsetup resume --noudevsync blktap-force; }
no_disk() { [ ! -b "$DISK" ]; }
no_tap() { ! nl_tool get "$MINOR"; }
happened() { grep -q " event=$1 minor=$MINOR" "$WORK/job.$MONITOR"; }

# in_use TEXT: a file system on DISK; WRITER is the one who uses it, on storage that stops,
# and READER one who waits for what the kernel reads or writes.
in_use() {
	must mkfs.ext4 -q -F "$DISK"
	must mount "$DISK" "$MNT"
	background fio --name=writer --directory="$MNT" --rw=randwrite --bs=4k --size=4M --direct=1 --ioengine=libaio \
		--iodepth=8 --fsync=32 --time_based --runtime=300
	WRITER=$JOB
	wait_for 20 test -s "$MNT/writer.0.0" || die "$1: nobody writes"
	stops
	background dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct
	READER=$JOB
	check "$1: who uses it waits" wait_for 10 blocked "$READER"
}
# in_vain TEXT ARGUMENT...: tap-ctl says what is in the way, in time; TOLD is all that it says.
in_vain() {
	local text=$1 start=$SECONDS status
	shift
	TOLD=$(tap-ctl "$@" 2>&1)
	status=$?
	same "$text: status" 110 $status
	check "$text: what is in the way" grep -q "tapdev$MINOR $ANSWERS" <<<"$TOLD"
	check "$text: in $((SECONDS - start)) s" test $((SECONDS - start)) -lt $((10 * SLOWNESS))
}
users_leave() {
	answers
	check "$1: who has read goes on" reap "$READER"
	check "$1: then the disk goes" wait_for 20 no_disk
	fails "$1: its user gets an error" "$WRITER" 60
	check "$1: and lets it be unmounted" within 60 umount "$MNT"
}

image other.img 8M
for mode in redirect auto; do
	listen
	one_tapdisk
	open_disk other -a "aio:$IMAGE"
	open_disk store -a "aio:$STORE" --kernel-io=$mode
	same "$mode: in use" "$mode" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
	in_use $mode
	in_vain "$mode: destroy -f" destroy -f -p "$PID" -m "$MINOR"
	check "$mode: whoever watches is told" happened stuck
	if [ $mode = redirect ]; then
		in_vain "$mode: close -f after that" close -f -p "$PID" -m "$MINOR"
	else
		in_vain "$mode: free -f after that" free -f -m "$MINOR"
	fi
	check_not "$mode: nobody was killed" grep -q killed <<<"$TOLD"
	check_not "$mode: the tapdisk lives" job_gone "$PID"
	choose other
	check "$mode: and serves its other disk" dd if=/dev/zero of="$DISK" bs=4k count=4 oflag=direct
	choose store
	users_leave $mode
	kill "$MONITOR"
	reap "$MONITOR"
	close_all
	unset 'disk_of[other]' 'disk_of[store]'
done

# One that does not answer is killed all the same.
create -a "aio:$STORE"
in_use stopped
must kill -STOP "$PID"
in_vain "stopped: close -f" close -f -p "$PID" -m "$MINOR"
check "stopped: its tapdisk was killed" grep -q "tapdisk $PID was killed" <<<"$TOLD"
check "stopped: and is gone" wait_for 10 job_gone "$PID"
users_leave stopped
check "stopped: the tap can be freed" tap-ctl free -m "$MINOR"

# It is dead.
create -a "aio:$STORE"
in_use dead
must kill -KILL "$PID"
wait_for 10 job_gone "$PID"
in_vain "dead: free -f" free -f -m "$MINOR"
users_leave dead
check "dead: the tap goes with it" wait_for 10 no_tap
rm -f "$CONTROL"/ctl*
# What recovery would have gone by.
rm -f "$CONTROL/tap$MINOR.json"

must dmsetup remove --noudevsync blktap-force
finish
