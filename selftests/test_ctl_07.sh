#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tap-ctl top, info, major and check.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio jq

same "check" "ok" "$(tap-ctl check)"
same "major" "$(awk '$2 == "tapdev" { print $1 }' /proc/devices)" "$(tap-ctl major)"
same "major -b" "$(tap-ctl major)" "$(tap-ctl major -b)"
same "major -c" "$(awk '$2 == "blktap2" { print $1 }' /proc/devices)" "$(tap-ctl major -c)"
refused "major -b -c" 22 '.' tap-ctl major -b -c

image disk.img 8M
create --kernel-io=off -a "aio:$IMAGE"
background fio --name=load --filename="$DISK" --rw=randread --bs=4k --size=8M --direct=1 --ioengine=libaio \
	--iodepth=4 --time_based --runtime=6
load=$JOB
wait_for 10 waiting 1
tap-ctl top -b -n 2 -d 1 >"$WORK/top"
same "top -b -n 2: status, heads, rows" "0 2 2" \
	"$? $(grep -c 'MINOR .*PID .*IMAGE' "$WORK/top") $(awk -v pid="$PID" '$1 == 0 && $2 == pid' "$WORK/top" | grep -c "aio:$IMAGE$")"
check_not "no escape sequences without a terminal" grep -q $'\033' "$WORK/top"
check "the load is seen" grep -Eq "^ +0 +$PID +[1-9]" "$WORK/top"
check "JSON has it, too" test "$(tap-ctl top -n 1 -d 1 --json | jq '.disks[0].reads_per_second | floor')" -gt 0
must tap-ctl pause -p "$PID" -m 0
check "top tells that a disk is paused" grep -q paused <(tap-ctl top -b -n 1 -d 1)
must tap-ctl unpause -p "$PID" -m 0
ends "the load" 0 "$load"
background tap-ctl top -b -d 1
top=$JOB
check "without -n it goes on" wait_for 10 grep -q MINOR "$WORK/job.$top"
kill -TERM "$top"
ends "until it is told to end" 0 "$top"

info() { tap-ctl info "$@" >"$WORK/info"; }
check "info" info
check "info -m" info -m 0
check "has the image" grep -q "$IMAGE" "$WORK/info"
check "info -p" info -p "$PID"
check "has the protocol" grep -q protocol "$WORK/info"
refused "info: both" 22 '.' tap-ctl info -m 0 -p "$PID"
refused "info: no such minor" 19 '9' tap-ctl info -m 9
refused "info: no such tapdisk" 2 '99999' tap-ctl info -p 99999
check "destroy" destroy

finish
