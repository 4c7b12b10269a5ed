#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The fence: a daemon that is forced off with a write under way does not overwrite what is
# newer. And everything can be ended at any moment, whoever uses it.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_server mkfs.ext4
log_expect_errors
log_expect 'I/O error|EXT4-fs|JBD2|Aborting journal|no daemon for|[Cc]apacity change|lost (sync|async) page write|shut down'

is_held() { [ "$(tap_value "$MINOR" recovery)" = 1 ]; }
no_disk() { [ "$(tap_value "$MINOR" state)" = 0 ]; }
happened() { grep -q " event=$1 minor=$MINOR" "$WORK/job.$MONITOR"; }
ms() { echo $((($(date +%s%N) - $1) / 1000000)); }
block() { dd if=<(head -c 4096 /dev/zero | tr '\0' "$1") of="$DISK" bs=4k count=1 oflag=direct iflag=fullblock status=none; }
first() { dd if="$RAM" bs=1 count=1 iflag=skip_bytes status=none 2>/dev/null; }

DELAY=$((6 * SLOWNESS))	# seconds, in which much happens
slow_disk $((DELAY * 1000)) || skip_all "needs brd and dm-delay"
listen

# Through the slow device the old daemon writes A; the new one has the device itself.
serve "" --size 8M --no-scan --backing "$SLOW"
old=$SERVER
background block A
writer=$JOB
check "a write is under way" wait_for 10 blocked "$old"
begin=$(date +%s%N)
check "its daemon is forced off" nl_tool end "$MINOR" pid="$old"
check "which does not wait ($(ms "$begin") ms)" test "$(ms "$begin")" -lt $((1000 * SLOWNESS))
same "the session has ended" "" "$(tap_value "$MINOR" pid)"
check "its process cannot die yet" test -e "/proc/$old"
serve_again --size 8M --no-scan --backing "$RAM"
check "nothing reaches the disk while that write may" is_held
ends "then A is written" 0 "$writer"
check "when the old one has gone" test "$(ms "$begin")" -ge $(((DELAY - 2) * 1000))
ends "the old daemon was killed" 137 "$old"
check "and B" block B
sleep $DELAY.5
same "B is what is there" B "$(first)"
same "nobody told of a session that is not there" 3 "$(nl_tool end "$MINOR" pid=1 2>/dev/null; echo $?)"
unserve
must slow_disk_gone

# A daemon that is stopped, under a mounted file system: all is taken down at once.
mkdir -p "$WORK/mnt"
for how in end free; do
	serve "" --size 32M --write-cache --no-scan --ram "$WORK/ram.$how"
	must mkfs.ext4 -q "$DISK"
	must mount "$DISK" "$WORK/mnt"
	background sh -c "while dd if=/dev/zero of='$WORK/mnt/file' bs=256k count=16 conv=fsync; do :; done; exit 1"
	writer=$JOB
	wait_for 10 test -s "$WORK/mnt/file" || die "$how: nobody writes"
	kill -STOP "$SERVER"
	sleep 0.5
	begin=$(date +%s%N)
	check "$how with force" within 10 nl_tool "$how" "$MINOR" force
	if [ $how = end ]; then
		check "$how: the disk goes" wait_for 10 no_disk
	else
		check "$how: the tap goes" wait_for 10 happened freed
	fi
	fails "$how: the writer gets an error" "$writer" 10
	check "$how: umount does not hang" within 10 umount "$WORK/mnt"
	check "$how: all in time ($(ms "$begin") ms)" test "$(ms "$begin")" -lt $((10000 * SLOWNESS))
	ends "$how: the stopped daemon is dead" 137 "$SERVER"
done
MINOR=$(nl_tool list | sed -n 's/^minor=\([0-9]*\) .*/\1/p')
check "force is no error where there is nothing to end" nl_tool end "$MINOR" force
check "the tap is as new" nl_tool del "$MINOR"

# In the scan, which the daemon does not answer.
must nl_tool new minor=9
MINOR=9 DISK=$NODES/tapdev9
background ring_server --size 4M --fault never 9
SERVER=$JOB
wait_for 10 grep -q keeping "$WORK/job.$SERVER" || die "the server has no request of the scan"
check "in a scan that hangs" within 10 nl_tool free 9 force
check "the tap goes" wait_for 10 happened freed
ends "and its daemon" 137 "$SERVER"
check_not "no disk is left" test -e "$DISK"

kill "$MONITOR"
reap "$MONITOR"
finish
