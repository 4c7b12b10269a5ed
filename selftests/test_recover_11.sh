#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A disk whose image hangs does not use up the time of others that its tapdisk had, nor of
# those of another one, whoever recovers them.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fuse_hang jq
modprobe -q fuse
[ -c /dev/fuse ] || skip_all "needs /dev/fuse"
log_expect_errors
log_expect 'no daemon for [0-9]* ms: requests fail'

is_held() { [ "$(tap-ctl info --json -m "$1" | jq -r .recovery)" = held ]; }
# has_another MINOR PID: a tapdisk, and not this one
has_another() { local new; new=$(pid_of "$1") && [ -n "$new" ] && [ "$new" != "$2" ]; }
# written TEXT MINOR: within the time that requests wait
written() { check "$1" within 30 dd if=/dev/zero of="$NODES/tapdev$2" bs=4k count=1 oflag=direct; }
wait_held() {
	local minor
	for minor; do
		wait_for 10 is_held "$minor" || die "tapdev$minor is not held"
	done
}

for name in 0 1 2; do
	image "disk$name" 4M
done
hanging -o open "$WORK/disk0"
create -a "aio:$WORK/fuse/image" --hold-time=300 --restart
first=$PID
create_in "$first" -a "aio:$WORK/disk1" --restart
create -a "aio:$WORK/disk2"
second=$PID

# Minor 0 comes first.
hang
must kill -KILL "$first"
wait_held 0
written "the supervisor: the other disk can be written to in time" 1
check "the one is still tried" is_held 0
old=$(pid_of 1)
must kill -KILL "$old"
check "one that dies again meanwhile is not forgotten" wait_for 20 has_another 1 "$old"
check "the one is still tried" is_held 0
answer
check "in the end it is recovered, too" wait_for 70 has_another 0 "$first"
check "the supervisor ends" supervisor_ends

# The same by hand, for disks of two.
first=$(pid_of 0) other=$(pid_of 1)
hang
must kill -KILL "$first" "$other" "$second"
wait_held 0 1 2
background "$(type -P tap-ctl)" recover
written "by hand: the second can be written to in time" 1
written "and the third" 2
check "not yet the one" is_held 0
answer
ends "in the end it is recovered, too" 0 "$JOB" 70
same "each was told" "tapdev0 tapdev1 tapdev2" \
	"$(sed -n 's/.*\///p' "$WORK/job.$JOB" | sort | tr '\n' ' ' | sed 's/ $//')"
for MINOR in 0 1 2; do
	PID=$(pid_of "$MINOR")
	check "destroy" destroy
done
let_go
rm -f "$CONTROL"/ctl*

finish
