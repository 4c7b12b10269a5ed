#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Servers that die at bad moments: before the disk, in its scan, in a request. Where nothing
# is held, requests fail.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup
log_expect_errors

no_session() { [ -z "$(tap_value "$MINOR" pid)" ]; }
settled() { [ "$(tap_value "$MINOR" state)" != 1 ] && no_session; }

# dies TEXT OPTIONS...: a server of the tap that kills itself
dies() {
	local text=$1
	shift
	background ring_server "$@" "$MINOR"
	SERVER=$JOB
	ends "$text" 137 "$SERVER"
	check "the session is gone and the disk settled" wait_for 20 settled
}

must nl_tool new minor=3 on_death=0
MINOR=3 DISK=$NODES/tapdev3
dies "dying between ATTACH and START" --die attach
check_not "no disk is left" test -e "$DISK"
dies "dying in the partition scan" --die scan --size 4M
check "the tap can be freed, whatever came of the disk" nl_tool del 3

must nl_tool new minor=3 on_death=0
dies "dying in the scan again" --die scan --size 4M
background ring_server --size 4M "$MINOR"
SERVER=$JOB
check "the next server serves" wait_for 20 live
check "it reads" dd if="$DISK" of=/dev/null bs=1M iflag=direct
unserve

serve "on_death=0" --size 4M --no-scan --ram "$WORK/ram" --fault die --after 5
background dd if=/dev/zero of="$DISK" bs=64k count=20 oflag=direct
writer=$JOB
ends "dying in a request" 137 "$SERVER"
fails "the writer gets an error" "$writer"
must dd if=/dev/urandom of="$WORK/ram" bs=1M count=4 conv=notrunc
serve_again --size 4M --no-scan --ram "$WORK/ram"
check "the next server's data is read" cmp "$WORK/ram" <(dd if="$DISK" bs=1M iflag=direct status=none)
unserve

serve "on_death=0" --size 4M --no-scan --fault never
background dd if=/dev/zero of="$DISK" bs=64k count=1 oflag=direct
writer=$JOB
wait_for 10 grep -q keeping "$WORK/job.$SERVER" || die "the server has no request"
check "a request that is never answered waits" test -e "/proc/$writer"
kill -KILL "$SERVER"
ends "its server is killed" 137 "$SERVER"
fails "then it fails" "$writer"
check "the tap can be freed" nl_tool del "$MINOR"
check_not "and the disk is gone" test -e "$DISK"

finish
