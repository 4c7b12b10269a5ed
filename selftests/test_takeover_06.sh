#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An upgrade under a disk in use: what takes over is the program that is there now, not the
# one that runs.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio jq

# program: the file that PID runs, by its inode: a name may have had others.
program() { stat -L -c %i "/proc/$PID/exe"; }
inode() { stat -c %i "$1"; }

PID=$(tap-ctl spawn) || die "spawn"
installed=$(readlink "/proc/$PID/exe")
kill -TERM "$PID"
check "the installed program is $installed" wait_for 10 no_tapdisk
chmod 755 "$WORK"
export TAPDISK=$WORK/tapdisk
must cp "$installed" "$TAPDISK"

for user in "" nobody; do
	image disk.img 16M
	create ${user:+--user "$user"} -a "aio:$IMAGE"
	title=${user:-root}
	same "$title: TAPDISK is what runs" "$(inode "$TAPDISK")" "$(program)"
	background fio --name=load --filename="$DISK" --rw=randrw --bs=16k --size=8M --direct=1 --ioengine=libaio --iodepth=8 \
		--time_based --runtime=300 --verify=crc32c --verify_backlog=64 --verify_fatal=1 --verify_state_save=0
	load=$JOB
	# As a package manager does: another file gets the name, and the old one has none.
	old=$PID before=$(program)
	must cp "$installed" "$WORK/new"
	must mv "$WORK/new" "$TAPDISK"
	check "$title: the program that runs has been removed" grep -q '(deleted)$' <(readlink "/proc/$PID/exe")
	check "$title: takeover" take_over
	check_not "$title: not by the program that ran" test "$before" = "$(program)"
	same "$title: but by the one with its name" "$(inode "$TAPDISK") $TAPDISK" "$(program) $(readlink "/proc/$PID/exe")"
	must cp "$installed" "$WORK/another"
	TAPDISK=$WORK/another
	check "$title: takeover by one of another name" take_over
	same "$title: it runs that" "$TAPDISK" "$(readlink "/proc/$PID/exe")"
	TAPDISK=$WORK/tapdisk
	kill -INT "$load"
	reap "$load" 60
	same "$title: all that the load wrote is right" "" "$(grep -iE 'verify.*fail|bad magic|error=' "$WORK/job.$load")"
	check "$title: destroy" destroy
done
# The sockets of a tapdisk of another user go with the next look at them.
must tap-ctl list

finish
