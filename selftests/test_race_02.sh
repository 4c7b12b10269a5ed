#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Opening, reading, probing and closing disks while they are started and stopped.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup
log_expect_errors
# Opening the name of a disk that has just gone.
log_expect 'block device autoloading is deprecated'

open_always() {
	while [ ! -e "$WORK/stop" ]; do
		dd if="$NODES/tapdev0" of=/dev/null bs=4k count=1 iflag=direct
	done 2>/dev/null
	return 0
}

list_always() {
	while [ ! -e "$WORK/stop" ]; do
		nl_tool list >/dev/null || return 1
		cat '/sys/class/blktap2/blktap!blktap0/task'
	done 2>/dev/null
	return 0
}

background open_always
reader=$JOB
background list_always
lister=$JOB
for ((i = 0; i < 6; i++)); do
	serve "minor=0" --size 1M
	unserve
	serve "minor=0 on_death=0" --size 1M --fault die --after 8
	wait_for 20 job_gone "$SERVER"
	reap "$SERVER"
	wait_for 20 nl_tool del 0 || die "the tap cannot be freed"
done
pass "started and stopped 12 times"
touch "$WORK/stop"
ends "the reader" 0 "$reader"
ends "the lister" 0 "$lister"

finish
