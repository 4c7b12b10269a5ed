#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# How long requests wait, which ones do not, and recovering all that wait.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq
log_expect_errors
log_expect 'no daemon for [0-9]* ms: requests fail|has not answered a request'

# Not the job itself: it waits for the reader.
reader() { background dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct; }
is() { [ "$(tap-ctl info --json -m "$MINOR" | jq -r .recovery)" = "$1" ]; }
killed() {
	must kill -KILL "$PID"
	wait_for 10 is "$1" || die "it is not $1"
}

image disk.img 4M
create -a "aio:$IMAGE" --hold-time 2.5
same "the hold time is told" "hold 2500" "$(tap-ctl info --json -m "$MINOR" | jq -r '"\(.on_death) \(.hold_ms)"')"
background "$(type -P tap-ctl)" monitor --json -m "$MINOR"
MONITOR=$JOB
sleep 0.5
killed held
reader
sleep 1
check "a reader waits" test -e "/proc/$JOB"
fails "and fails after the hold time" "$JOB" 10
check "requests fail" is failed
reader
fails "new ones as well, at once" "$JOB" 5
tap-ctl recover >"$WORK/all"
same "recover of all leaves it alone" "0 " "$? $(cat "$WORK/all")"
check "recover" tap-ctl recover -m "$MINOR"
reader
ends "it can be read again" 0 "$JOB"
must kill -INT "$MONITOR"
reap "$MONITOR"
same "the monitor told it all" "daemon-lost hold-expired attached resumed" \
	"$(jq -r .event "$WORK/job.$MONITOR" | tr '\n' ' ' | sed 's/ $//')"
PID=$(pid_of "$MINOR")
check "destroy" destroy

create -a "aio:$IMAGE" --on-death=fail
reader
reap "$JOB"
killed failed
reader
fails "with --on-death=fail nobody waits" "$JOB" 5
check "recover" tap-ctl recover -m "$MINOR"
reader
ends "it can be read again" 0 "$JOB"
PID=$(pid_of "$MINOR")
check "destroy" destroy
refused "a hold time with --on-death=fail" 22 'hold' tap-ctl allocate --on-death=fail --hold-time=5

# Without limit, and a tapdisk with several disks beside another.
create -a "aio:$IMAGE" --hold-time 0
first=$PID
for minor in 1 2; do
	image "disk$minor.img" 4M
	must tap-ctl allocate -m $minor
	must tap-ctl attach -p "$first" -m $minor
	must tap-ctl open -p "$first" -m $minor -a "aio:$IMAGE"
done
image disk3.img 4M
create -a "aio:$IMAGE"
same "four disks" 4 "$(tap-ctl list | wc -l)"
must kill -KILL "$first" "$PID"
for MINOR in 0 1 2 3; do
	wait_for 10 is held || die "tapdev$MINOR is not held"
done
check_not "without limit none is left" test "$(tap-ctl info --json -m 0 | jq .hold_left_ms)" != null
tap-ctl recover >"$WORK/all"
same "recover of all" 0 $?
same "tells each" 4 "$(sort -u "$WORK/all" | wc -l)"
same "those of one tapdisk have one again" "3 1" \
	"$(tap-ctl list --json | jq -r '[group_by(.pid)[] | length] | sort | reverse | join(" ")')"
for MINOR in 0 1 2 3; do
	DISK=$NODES/tapdev$MINOR PID=$(pid_of "$MINOR")
	reader
	ends "tapdev$MINOR can be read" 0 "$JOB"
	check "destroy" destroy
done

# Late.
create -a ram:4M --io-timeout=1 --on-timeout=kill --hold-time=1
must kill -STOP "$PID"
reader
fails "a tapdisk that is late is killed, if that is wanted" "$JOB" 15
check "it is dead" wait_for 5 job_gone "$PID"
must tap-ctl free -m "$MINOR"
rm -f "$CONTROL"/ctl*

finish
