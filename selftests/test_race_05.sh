#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tap that is freed by force while somebody makes a file system on its disk, and one
# that somebody frees a second time while the first is at it.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl mkfs.ext4 dmsetup jq
log_expect_errors
log_expect 'Buffer I/O error|lost (sync|async) page write'

resume() { dmsetup resume --noudevsync blktap-test; } 2>/dev/null
trap 'resume; ended_early' EXIT

freed() { [ -z "$(tap_value "$1" minor)" ]; }

image disk.img 64M
for delay in 0 0.02 0.05 0.1 0.2 0.4; do
	create -a "aio:$IMAGE"
	background mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0 "$DISK"
	maker=$JOB
	sleep "$delay"
	check "mkfs after $delay s: freed by force" within 20 tap-ctl free -f -m "$MINOR"
	check "nothing is left of the tap" freed "$MINOR"
	# It may have been done already.
	reap "$maker" 30
	check "mkfs has come to its end" test "$REAPED" -lt 124
done

if slow_disk 0; then
	serve "" --size 8M --no-scan --backing "$SLOW" --by extent
	must dmsetup suspend --noudevsync blktap-test
	background dd if=/dev/zero of="$DISK" bs=4k count=1 oflag=direct
	writer=$JOB
	check "a write is under way below" wait_for 10 waiting 1
	check "it is freed by force" nl_tool free "$MINOR" force
	reap "$SERVER"
	check_not "it waits for the device below" freed "$MINOR"
	refused "freeing it a second time" 16 'freed already' nl_tool free "$MINOR" force
	must resume
	ends "the write, which had begun, ends well" 0 "$writer"
	check "nothing is left of the tap" wait_for 10 freed "$MINOR"
	check "nor of what it had" wait_for 10 slow_disk_gone
else
	skip "a second free while the first waits" "needs brd and dm-delay"
fi

finish
