#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A daemon was killed and cannot exit, for storage of another disk does not answer: its disks
# that have nothing to do with that do not wait for it, be they paused, or to go by force.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/storage.sh"
setup tap-ctl jq ring_server dmsetup
log_expect_errors
log_expect 'no daemon for|still open'

{ ram_disk 16M && modprobe -q dm-mod; } || skip_all "needs brd and dm-mod"
STORE=/dev/mapper/blktap-stuck
must dmsetup create blktap-stuck --noudevsync --table "0 32768 linear $RAM 0"
must dmsetup mknodes blktap-stuck
stops() { must dmsetup suspend --noflush --nolockfs blktap-stuck; }
answers() { must dmsetup resume --noudevsync blktap-stuck; }
# in_storage PID: a thread of it waits; the first one is a zombie meanwhile.
in_storage() { grep -q '^State:[[:space:]]*D' "/proc/$1/task"/*/status; }
no_disk() { [ ! -b "$DISK" ]; }
recovery_is() { [ "$(tap_value "$MINOR" recovery)" = "$1" ]; }
has_request() { tap-ctl stats -p "$PID" -m "$MINOR" | jq -e '.reqs_outstanding >= 1'; }

# Paused: no request of its is with anybody.
one_tapdisk
image paused.img 8M
open_disk stuck -a "aio:$STORE" --kernel-io=off
DISK=$(tap-ctl allocate --hold-time=2) || die "allocate"
MINOR=${DISK##*tapdev}
must tap-ctl attach -p "$PID" -m "$MINOR"
must tap-ctl open -p "$PID" -m "$MINOR" -a "aio:$IMAGE"
disk_of[paused]=$DISK minor_of[paused]=$MINOR
must tap-ctl pause -p "$PID" -m "$MINOR"
background dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct
reader=$JOB
check "paused: who reads waits" wait_for 10 blocked "$reader"
choose stuck
stops
background dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
writer=$JOB
wait_for 10 has_request || die "the storage has nothing to do"
kill -KILL "$PID"
choose paused
check "paused: its tapdisk is dead, that is seen" wait_for 15 recovery_is 2
check "paused: which waits for storage" in_storage "$PID"
fails "paused: when the time is over, who reads is told" "$reader" 10
answers
reap "$PID"
choose stuck
check "the other disk is recovered" within 30 tap-ctl recover -m "$MINOR"
ends "and its user has no error" 0 "$writer"
PID=$(pid_of "$MINOR")
check "destroy" destroy
choose paused
check "paused: free" tap-ctl free -f -m "$MINOR"
rm -f "$CONTROL/tap$MINOR.json"
wait_for 10 no_disk
check "no record is left" tap-ctl list

# To go by force: no time-out of a request finds out.
stops
serve "" --size 4M --no-scan --fault never --force --beside "$STORE"
background dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
writer=$JOB
check "by force: a write waits" wait_for 10 waiting 1
must kill -TERM "$SERVER"
wait_for 10 grep -q '^stop: 0' "$WORK/job.$SERVER" || die "the disk is not stopped"
kill -KILL "$SERVER"
fails "by force: who writes is told" "$writer" 15
check "by force: the disk goes" wait_for 10 no_disk
check "by force: its daemon waits for storage" in_storage "$SERVER"
answers
reap "$SERVER"
check "by force: the tap can be freed" nl_tool del "$MINOR"

must dmsetup remove --noudevsync blktap-stuck
finish
