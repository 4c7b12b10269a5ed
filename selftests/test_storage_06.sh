#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# An image in the page cache (-D), and storage that fails when its pages are written back:
# who flushes is told, then and from then on, and no pause forgets it.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/storage.sh"
setup tap-ctl dmsetup
log_expect_errors
log_expect 'I/O error, dev dm-|Buffer I/O error'
SECTORS=16384
DEVICE=/dev/mapper/blktap-cache

{ ram_disk 8M && modprobe -q dm-mod; } || skip_all "needs brd and dm-mod"
must dd if=/dev/urandom of="$WORK/bytes" bs=4k count=16
must dmsetup create blktap-cache --noudevsync --table "0 $SECTORS linear $RAM 0"
must dmsetup mknodes blktap-cache
one_tapdisk
open_disk other -a ram:4M

open_cache() { open_disk cache -a "aio:$DEVICE" -D; }
breaks() { must table blktap-cache error; }
mends() { must table blktap-cache linear "$RAM" 0; }
flush() { outcome if=/dev/zero of="$DISK" count=0 conv=fsync; }
pause() { tap-ctl pause -p "$PID" -m "$MINOR"; }

open_cache
same "a write" "done" "$(write_at 3)"
breaks
same "it is lost, and a flush tells" "Input/output error" "$(flush)"
check "the log names the device" logged "tapdev$MINOR: $DEVICE has lost what was written to it: Input/output error"
mends
same "the next flush fails, though the storage works" "Input/output error" "$(flush)"
same "reads and writes do not" "done done" "$(write_at 5) $(read_at 5)"
refused "no pause" 5 "$DEVICE does not have all that was written" pause
same "it goes on" "done" "$(read_at 5)"
check "it can be closed" tap-ctl destroy -p "$PID" -m "$MINOR"

open_cache
same "opened anew: a write and a flush" "done done" "$(write_at 3) $(flush)"
same "a write" "done" "$(write_at 5)"
breaks
refused "the pause would forget it" 5 "$DEVICE does not have all that was written.*it is not paused" pause
mends
same "and the flush after it fails" "Input/output error" "$(flush)"
check "it can be closed" tap-ctl destroy -p "$PID" -m "$MINOR"

open_cache
same "a write" "done" "$(write_at 7)"
check "a pause writes it back" pause
check "it is on the device" cmp -n 4096 "$WORK/bytes" <(dd if="$RAM" bs=4k skip=7 count=1 iflag=direct status=none)
check "unpause" tap-ctl unpause -p "$PID" -m "$MINOR"
same "a flush" "done" "$(flush)"

choose other
same "the other disk notices nothing" "done done" "$(write_at 5) $(read_at 5)"
close_all
must dmsetup remove --noudevsync blktap-cache

finish
