#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Two tapdisks die, and the storage of one hangs: the supervisor recovers the other without
# waiting for that.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fuse_hang jq
modprobe -q fuse
[ -c /dev/fuse ] || skip_all "needs /dev/fuse"

declare -A disk_of minor_of
# Not the job itself: it waits for the reader.
reader() { background dd if="${disk_of[$1]}" of=/dev/null bs=4k count=1 iflag=direct; }
is() { [ "$(tap-ctl info --json -m "${minor_of[$1]}" | jq -r .recovery)" = "$2" ]; }
ms() { echo $((($(date +%s%N) - $1) / 1000000)); }

truncate -s 8M "$WORK/backing"
image well.img 8M
declare -A image_of=([hung]=$WORK/fuse/image [well]=$IMAGE)
# Whichever it looks at first.
for order in "hung well" "well hung"; do
	background "$(type -P tap-ctl)" supervise
	supervisor=$JOB
	check "a supervisor runs" wait_for 5 supervisor_runs
	# Only what opens it: a tapdisk in the middle of a read could not die.
	hanging -o lookup,getattr,open "$WORK/backing"
	victims=()
	for which in $order; do
		create -a "aio:${image_of[$which]}" --restart --hold-time 120
		disk_of[$which]=$DISK minor_of[$which]=$MINOR victims+=("$PID")
	done
	hang
	must kill -KILL "${victims[@]}"
	begin=$(date +%s%N)
	reader hung
	waiter=$JOB
	reader well
	ends "$order: the other disk is recovered at once" 0 "$JOB" 5
	note "after $(ms "$begin") ms"
	check "$order: the first is at its storage" wait_for 10 grep -q '^held' "$WORK/job.$HANG"
	check "$order: and held" is hung held
	check "$order: who reads from it waits" test -e "/proc/$waiter"
	must kill -KILL "$(pid_of "${minor_of[well]}")"
	reader well
	ends "$order: the other is recovered again" 0 "$JOB" 7
	check "$order: while the first is held" is hung held
	answer
	ends "$order: its storage answers, and no error there either" 0 "$waiter"
	for which in hung well; do
		must tap-ctl destroy -p "$(pid_of "${minor_of[$which]}")" -m "${minor_of[$which]}"
	done
	let_go
	must kill -TERM "$supervisor"
	ends "$order: the supervisor ends when it is told to" 0 "$supervisor"
done

finish
