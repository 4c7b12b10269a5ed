#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tap-ctl pause, unpause and resize, as a script and on a terminal.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

row() { printf '%8s %2s %4s %10s %s' "$@"; }
image a.img 8M
cp "$IMAGE" "$WORK/b.img"
create -a "aio:$IMAGE"
p=(-p "$PID" -m 0)

same "pause says nothing" "0" "$(tap-ctl pause "${p[@]}" 2>&1; echo $?)"
same "list" "pid=$PID minor=0 state=0x2a args=aio:$IMAGE" "$(tap-ctl list)"
same "list on a terminal" "$(row "$PID" 0 0x2a aio "$IMAGE")" "$(on_a_terminal "tap-ctl list")"
same "pause -t of a paused disk" "0" "$(tap-ctl pause "${p[@]}" -t 5 2>&1; echo $?)"
refused "resize of a paused disk" 22 'tapdev0' tap-ctl resize "${p[@]}" -s 16M
refused "unpause: no such image" 2 "$WORK/none" tap-ctl unpause "${p[@]}" -a "aio:$WORK/none"
refused "unpause: another size" 124 'tapdev0|4194304' tap-ctl unpause "${p[@]}" -a ram:4M
same "it is still paused" 0x2a "$(state)"
same "unpause -a says nothing" "0" "$(tap-ctl unpause "${p[@]}" -a "aio:$WORK/b.img" 2>&1; echo $?)"
same "list" "pid=$PID minor=0 state=0 args=aio:$WORK/b.img" "$(tap-ctl list)"
refused "unpause of a running disk" 22 'tapdev0' tap-ctl unpause "${p[@]}"
same "pause, unpause with what it had" "00" "$(tap-ctl pause "${p[@]}"; echo -n $?; tap-ctl unpause "${p[@]}"; echo $?)"

same "resize tells the new size" 12582912 "$(tap-ctl resize "${p[@]}" -s 12M)"
same "the disk has it" 12582912 "$(blockdev --getsize64 "$DISK")"
same "and the image" 12582912 "$(stat -c %s "$WORK/b.img")"
refused "smaller" 22 'smaller|shrink' tap-ctl resize "${p[@]}" -s 4M
same "smaller, with --shrink" 4194304 "$(tap-ctl resize "${p[@]}" -s 4194304 --shrink)"
refused "an odd size" 22 'tapdev0|multiple' tap-ctl resize "${p[@]}" -s 5000001
must truncate -s 6M "$WORK/b.img"
same "without a size: what the image has" 6291456 "$(tap-ctl resize "${p[@]}")"
same "the disk has it" 6291456 "$(blockdev --getsize64 "$DISK")"

for command in pause unpause resize; do
	refused "$command: no such minor" 19 '9' tap-ctl $command -p "$PID" -m 9
	refused "$command: no such tapdisk" 2 '99999' tap-ctl $command -p 99999 -m 0
done
check "close" tap-ctl close "${p[@]}"
refused "pause without an image" 22 'tapdev0' tap-ctl pause "${p[@]}"
refused "unpause without an image" 22 'tapdev0' tap-ctl unpause "${p[@]}"
refused "resize without an image" 22 'tapdev0' tap-ctl resize "${p[@]}" -s 8M
check "destroy" destroy

finish
