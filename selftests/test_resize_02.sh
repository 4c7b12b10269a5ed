#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A disk that takes a part of a block device: its size, and that it can be paused.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

size() { blockdev --getsize64 "$DISK"; }

create -a ram:8M
below=$DISK q=(-p "$PID" -m "$MINOR")
create -a "aio:$below"
p=(-p "$PID" -m "$MINOR")

refused "beyond the device" 95 "$below" tap-ctl resize "${p[@]}" -s 16M
same "smaller than the device" 4194304 "$(tap-ctl resize "${p[@]}" -s 4M --shrink)"
same "larger, and smaller than the device still" 6291456 "$(tap-ctl resize "${p[@]}" -s 6M)"
check "pause" tap-ctl pause "${p[@]}"
check "unpause" tap-ctl unpause "${p[@]}"
same "the disk keeps its size" 6291456 "$(size)"
check "it reads" dd if="$DISK" of=/dev/null bs=1M iflag=direct
same "all of the device" 8388608 "$(tap-ctl resize "${p[@]}")"
same "the disk has it" 8388608 "$(size)"
check "destroy" tap-ctl destroy "${p[@]}"
check "destroy the one below" tap-ctl destroy "${q[@]}"

finish
