#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An image is locked: one writer, or many readers.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

one_tapdisk() { [ "$(tapdisks | wc -l)" = 1 ]; }

image disk.img 8M
create -a "aio:$IMAGE"
first=$PID
refused "a second tapdisk cannot write to the image" 11 'disk.img' tap-ctl create -a "aio:$IMAGE"
refused "nor read it" 11 'disk.img' tap-ctl create -R -a "aio:$IMAGE"
ln -s disk.img "$WORK/link"
refused "nor by another name" 11 'link' tap-ctl create -a "aio:$WORK/link"
wait_for 5 one_tapdisk
same "nothing is left of the failed ones" "pid=$first minor=0 state=0 args=aio:$IMAGE" \
	"$(tap-ctl list)"
check "destroy" destroy

create -R -a "aio:$IMAGE"
reader=$PID
create -R -a "aio:$IMAGE"
check "two readers" test "$reader" != "$PID"
refused "no writer beside readers" 11 'disk.img' tap-ctl create -a "aio:$IMAGE"
check "destroy" destroy
check "destroy" tap-ctl destroy -p "$reader" -m 0

create -a "aio:$IMAGE"
kill -KILL "$PID"
wait_for 10 no_tapdisk
check "the lock of a dead tapdisk is gone" tap-ctl create -a "aio:$IMAGE"
dead=$MINOR
MINOR=1
PID=$(pid_of 1)
check "destroy" destroy
check "free" tap-ctl free -m "$dead"
rm -f "$CONTROL"/ctl*

finish
