#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A server that is slow, wrong or fails requests: what the caller gets.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup fio
log_expect_errors

# bad TEXT OPTIONS...: reading fails, and works again after the fault is over
bad() {
	local text=$1
	shift
	serve "" --size 1M --no-scan "$@" --times 1
	check_not "$text: the read fails" dd if="$DISK" of=/dev/null bs=64k count=1 iflag=direct
	check "$text: the next one works" dd if="$DISK" of=/dev/null bs=64k count=1 iflag=direct
	unserve
}

# good TEXT OPTIONS...: reading and writing work all the same
good() {
	local text=$1
	shift
	serve "" --size 4M --no-scan "$@"
	check "$text: data is right" fio --name=verify --filename="$DISK" --rw=randwrite --direct=1 \
		--ioengine=libaio --iodepth=8 --size=1M --bs=64k --verify=crc32c --verify_fatal=1 \
		--do_verify=1 --verify_state_save=0 --output="$WORK/fio"
	unserve
}

bad "an error" --fault error=5
bad "a short result" --fault short
bad "a long result" --fault long
good "slow answers" --fault delay=20
good "every request completed twice" --fault double
check "each second completion was rejected: $(counted rejected)" test "$(counted rejected)" -ge 32
good "a stale generation before each completion" --fault stale
check "each was rejected: $(counted rejected)" test "$(counted rejected)" -ge 32
good "an unknown tag before each completion" --fault tag
check "each was rejected: $(counted rejected)" test "$(counted rejected)" -ge 32

serve "" --size 1M --no-scan --fault error=28 --times 1
dd if=/dev/zero of="$DISK" bs=64k count=1 oflag=direct 2>"$WORK/stderr"
check "ENOSPC arrives as such" grep -q 'No space left' "$WORK/stderr"
unserve

serve "on_death=0" --size 1M --no-scan --fault index
background dd if="$DISK" of=/dev/null bs=64k count=1 iflag=direct
job=$JOB
ends "an index out of bounds ends the session: EPROTO" 71 "$SERVER"
fails "and the read fails" "$job"
check "the tap can be freed" nl_tool del "$MINOR"

finish
