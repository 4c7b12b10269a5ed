#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tapdisk that takes on a dead one's disks has its user and its rights, whether it is
# told to or the supervisor does it.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq

uid() { sed -n 's/^Uid:\t\([0-9]*\)\t.*/\1/p' "/proc/$PID/status"; }
filters() { sed -n 's/^Seccomp:\t//p' "/proc/$PID/status"; }
recorded() { jq -r ".$1" "$CONTROL/tap$MINOR.json"; }
is_held() { [ "$(tap-ctl info --json -m "$MINOR" | jq -r .recovery)" = held ]; }
another() {
	local new
	new=$(pid_of "$MINOR")
	[ -n "$new" ] && [ "$new" != "$PID" ] && PID=$new
}
# recovers TEXT ARGUMENT...: after the death of PID
recovers() {
	local text=$1
	shift
	must kill -KILL "$PID"
	wait_for 10 is_held || die "the disk is not held"
	check "$text: recover" tap-ctl recover "$@"
	another || die "$text: nobody has it"
	check "$text: the data is right" cmp "$WORK/data" \
		<(dd if="$DISK" bs=64k count=4 iflag=direct status=none)
}

must dd if=/dev/urandom of="$WORK/data" bs=64k count=4
image disk.img 8M
create --no-sandbox -a "aio:$IMAGE"
must dd if="$WORK/data" of="$DISK" bs=64k oflag=direct conv=fsync
same "--no-sandbox: on record" true "$(recorded no_sandbox)"
recovers "--no-sandbox" -m "$MINOR"
same "--no-sandbox: no filter" 0 "$(filters)"
check "--no-sandbox: destroy" destroy

chmod 755 "$WORK"
mkdir -m 700 "$WORK/secret"
must mv "$IMAGE" "$WORK/secret/disk.img"
IMAGE=$WORK/secret/disk.img
user=$(id -u nobody)
tap-ctl create --user nobody --restart -a "aio:$IMAGE" --kernel-io=off >"$WORK/created" 2>&1
if grep -q AddressSanitizer "$WORK/created"; then
	supervisor_ends
	skip_all "a tapdisk with AddressSanitizer is not confined"
fi
MINOR=0 DISK=$NODES/tapdev0 PID=
another || die "create --user: $(cat "$WORK/created")"
same "--user: on record" nobody "$(recorded user)"
same "--user: by root" "600 0" "$(stat -c '%a %u' "$CONTROL/tap0.json")"
must kill -KILL "$PID"
check "--user: the supervisor recovers it" wait_for 20 another
same "--user: it is that user" "$user" "$(uid)"
same "--user: as it was opened" off "$(tap-ctl kernel-io -p "$PID" -m 0)"
check "--user: the supervisor ends" supervisor_ends
check "--user: another mode" tap-ctl kernel-io -p "$PID" -m 0 redirect
recovers "--user" -m 0
same "--user: that user again" "$user" "$(uid)"
same "--user: the mode it had" redirect "$(tap-ctl kernel-io -p "$PID" -m 0)"
check "--user: pause" tap-ctl pause -p "$PID" -m 0
must mv "$IMAGE" "$WORK/secret/moved.img"
check "--user: with another image" tap-ctl unpause -p "$PID" -m 0 -a "aio:$WORK/secret/moved.img"
recovers "--user, moved" -m 0
check "--user: takeover" take_over
recovers "--user, taken over"
same "--user: that user after all" "$user" "$(uid)"
must tap-ctl pause -p "$PID" -m 0
must kill -KILL "$PID"
wait_for 10 is_held
refused "--user: a paused disk needs a word" 16 'paused' tap-ctl recover -m 0
check "--user: which is an image" tap-ctl recover -m 0 -a "aio:$WORK/secret/moved.img"
another || die "nobody has it"
same "--user: that user, too" "$user" "$(uid)"
check "--user: destroy" destroy
check_not "--user: its record goes" test -e "$CONTROL/tap0.json"
# Its sockets go with the next look at them: it may not remove them itself.
must tap-ctl list

finish
