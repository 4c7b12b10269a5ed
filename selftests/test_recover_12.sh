#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is on record of a tapdisk with a user of its own, which its clients write: it is right
# whenever one of them is interrupted, and whatever came of what he had asked for.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fuse_hang jq
modprobe -q fuse
[ -c /dev/fuse ] || skip_all "needs /dev/fuse"

recorded() { jq -r ".$1" "$CONTROL/tap$MINOR.json"; }
listed() { tap-ctl list -p "$PID" -m "$MINOR" | sed -n 's/.* args=//p'; }
is_held() { [ "$(tap-ctl info --json -m "$MINOR" | jq -r .recovery)" = held ]; }
is_state() { [ "$(state)" = "$1" ]; }
has_image() { [ "$(listed)" = "aio:$1" ]; }
another() {
	local new
	new=$(pid_of "$MINOR")
	[ -n "$new" ] && [ "$new" != "$PID" ] && PID=$new
}
# interrupted TEXT ARGUMENT...: tap-ctl, by SIGINT while it waits
interrupted() {
	local text=$1
	shift
	timeout -s INT $((2 * SLOWNESS)) tap-ctl "$@" >"$WORK/interrupted" 2>&1
	same "$text: interrupted" 124 $?
}
# dies TEXT ARGUMENT...: PID does, and the disk is recovered
dies() {
	local text=$1
	shift
	must kill -KILL "$PID"
	wait_for 10 is_held || die "$text: the disk is not held"
	check "$text: recover" tap-ctl recover -m "$MINOR" "$@"
	another || die "$text: nobody has it"
}
# begins WITH: the disk does with these bytes
begins() { dd if="$DISK" bs=4k count=1 iflag=direct status=none | cmp -n 4096 - "$1"; }

# They can be opened by that user, so that no descriptor has to be passed.
chmod 755 "$WORK"
for name in a b c; do
	must dd if=/dev/urandom of="$WORK/$name" bs=1M count=4 status=none
	chmod 666 "$WORK/$name"
	must cp "$WORK/$name" "$WORK/$name.was"
done
tap-ctl create --user nobody -a "aio:$WORK/a" --kernel-io=off >"$WORK/created" 2>&1
! grep -q AddressSanitizer "$WORK/created" || skip_all "a tapdisk with AddressSanitizer is not confined"
MINOR=0 DISK=$NODES/tapdev0 PID=
another || die "create --user: $(cat "$WORK/created")"

# A pause that fails gives the image to nobody.
must kill -STOP "$PID"
interrupted "a pause of one that is stopped" pause -p "$PID" -m 0
same "it is not on record" false "$(recorded paused)"
dies "one that is stopped"
must kill -KILL "$PID"
wait_for 10 is_held || die "the disk is not held"
refused "a pause of one that is dead" 2 'is gone' tap-ctl pause -p "$PID" -m 0
same "it is not on record, either" false "$(recorded paused)"
check "one that is dead: recover" tap-ctl recover -m 0
another || die "nobody has it"

# One that is waited for in vain.
hanging -o read,write "$WORK/b"
check "pause" tap-ctl pause -p "$PID" -m 0
same "it is on record" true "$(recorded paused)"
refused "unpause with nothing" 2 'exist|No such' tap-ctl unpause -p "$PID" -m 0 -a "aio:$WORK/none"
same "it is as before" "aio:$WORK/a true" "$(recorded image) $(recorded paused)"
check "unpause with another image" tap-ctl unpause -p "$PID" -m 0 -a "aio:$WORK/fuse/image"
same "that is on record" "aio:$WORK/fuse/image false" "$(recorded image) $(recorded paused)"
hang
background dd if="$DISK" of=/dev/null bs=4k count=1 iflag=direct
reader=$JOB
check "a request hangs" wait_for 10 held read 1
interrupted "a pause that waits for it" pause -p "$PID" -m 0
same "it goes on" "false" "$(recorded paused)"
answer
ends "and so does the reader" 0 "$reader"
dies "one whose pause was given up"
check "it has that image" begins "$WORK/b.was"

# Nobody hears whether it goes on.
check "pause" tap-ctl pause -p "$PID" -m 0
must kill -STOP "$PID"
interrupted "an unpause" unpause -p "$PID" -m 0 -a "aio:$WORK/c"
must kill -CONT "$PID"
check "it goes on" wait_for 10 is_state 0
same "with the image that is on record" "aio:$WORK/c false" "$(recorded image) $(recorded paused)"
dies "one that goes on unheard"
check "with that image" begins "$WORK/c.was"
let_go

# What an earlier disk has left is not of the next one.
check "destroy" destroy
hanging -o read "$WORK/b"
must tap-ctl create --user nobody --restart -a "aio:$WORK/a"
another || die "nobody has it"
must kill -TERM "$PID"
wait_for 10 no_tapdisk || die "it does not leave"
same "a record is left" "aio:$WORK/a" "$(recorded image)"
PID=$(tap-ctl spawn --user nobody)
must tap-ctl attach -p "$PID" -m 0
hang
interrupted "an open" open -p "$PID" -m 0 -a "aio:$WORK/fuse/image" --restart --kernel-io=off
answer
check "it is open all the same" wait_for 10 has_image "$WORK/fuse/image"
same "its image is on record" "aio:$WORK/fuse/image" "$(recorded image)"
must dd if="$WORK/c.was" of="$DISK" bs=4k count=1 oflag=direct
must kill -KILL "$PID"
check "the supervisor recovers it" wait_for 20 another
must dd if="$WORK/c.was" of="$DISK" bs=4k count=2 oflag=direct
check "its image has what was written" cmp -n 8192 "$WORK/b" "$WORK/c.was"
check "the earlier one has not" cmp "$WORK/a" "$WORK/a.was"

# Taken away from a tapdisk that hangs.
must kill -STOP "$PID"
check "close -f" tap-ctl close -f -p "$PID" -m 0
check_not "the record goes with the disk" test -e "$CONTROL/tap0.json"
must tap-ctl free -m 0
let_go
check "the supervisor ends" supervisor_ends
rm -f "$CONTROL"/ctl*

finish
