#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A mounted file system goes through the deaths of its tapdisk as if there were none, most
# of them with the tapdisk's own I/O under way. BLKTAP_TEST_KILLS says how many.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/deaths.sh"
setup tap-ctl mkfs.ext4 fio jq
deaths_setup
slow_disk 60 64M || skip_all "needs brd and dm-delay"

KILLS=${BLKTAP_TEST_KILLS:-5}
MNT=$WORK/mnt
mkdir "$MNT"

served_again() { PID=$(pid_of "$MINOR") && [ -n "$PID" ] && [ "$PID" != "$old" ]; }
# mode_of KILL: of the disk then.
mode_of() {
	case $(($1 % 10)) in
	2) echo redirect ;;
	3) echo auto ;;
	*) echo off ;;
	esac
}

create -a "aio:$SLOW" --restart --kernel-io=off
check "a supervisor runs" wait_for 5 supervisor_runs
must mkfs.ext4 -q -F "$DISK"
must mount "$DISK" "$MNT"
load --directory="$MNT" --rate=4M "${VERIFY[@]}" --size=16M "${SYNC[@]}"
# The supervisor waits for 1, 2, 4, 8 and then 16 s before it tries again.
for ((kill = 1; kill <= KILLS; kill++)); do
	old=$PID mode=$(mode_of $kill)
	must tap-ctl kernel-io -p "$old" -m "$MINOR" "$mode"
	sleep "0.$((RANDOM % 10))"
	dies "$mode"
	wait_for 60 served_again || die "kill $kill: nobody serves the disk"
	died "$mode" || die "kill $kill: requests were lost"
done
pass "$KILLS times its tapdisk was killed, and it was recovered"
deaths_told off redirect auto
load_ends "fio verify sees no error"
same "the mode is kept" "$mode" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
[ "$mode" != off ] || check "all I/O is the tapdisk's" counts 'ios_daemon > 0 and .ios_redirect == 0 and .ios_extent == 0'
check "umount" umount "$MNT"
check "the file system is whole" e2fsck -fn "$DISK"
PID=$(pid_of "$MINOR")
check "destroy" destroy
check "the supervisor ends when it is told to" supervisor_ends
check "the image is free" wait_for 10 slow_disk_gone

finish
