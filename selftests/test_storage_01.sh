#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The storage below answers with errors. Each reaches whoever asked under its name, or
# as "Input/output error"; the log names the image; what may pass is tried again, but
# not for ever; and the other disk of the tapdisk notices nothing.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/storage.sh"
setup tap-ctl jq fuse_hang fio
log_expect_errors
modprobe -q fuse
[ -c /dev/fuse ] || skip_all "needs /dev/fuse"
TIMEOUT=$((6 * SLOWNESS))

# wrong LINE...: what goes wrong from now on.
wrong() {
	printf '%s\n' "$@" >"$WORK/faults.new" && mv "$WORK/faults.new" "$WORK/faults"
}
right() { rm -f "$WORK/faults"; }
failures() { grep -cx 'failed write' "$WORK/job.$HANG"; }
more_failures() { [ "$(failures)" -ge "$1" ]; }

image backing 4M
must dd if=/dev/urandom of="$WORK/bytes" bs=4k count=16
hanging -f "$WORK/faults" "$IMAGE"
one_tapdisk
monitor
open_disk other -a ram:4M
declare -A FILES
for i in 0 1 2; do
	FILES[${MODES[i]}]=$WORK/fuse/image$i
	open_disk "${MODES[i]}" -a "aio:$WORK/fuse/image$i" --kernel-io="${MODES[i]}" -t $TIMEOUT
	same "${MODES[i]}: in use" "${MODES[i]}" "$(tap-ctl kernel-io -p "$PID" -m "$MINOR")"
done

# An extent that was lost comes back when the mode is set again.
again() { must tap-ctl kernel-io -p "$PID" -m "$MINOR" "$1"; }

# told_of COUNT: failures of MINOR, in all.
told_of() {
	[ "$(sed -n "s/.* event=io-error minor=$MINOR .*requests=\([0-9]*\) .*/\1/p" "$EVENTS" |
		awk '{ n += $1 } END { print n + 0 }')" = "$1" ]
}

# answers MODE OPERATION: to each errno, what a program is told.
answers() {
	local errno
	for errno in 5 28 110 121 61 30 122; do
		again "$1"
		wrong "$2 error $errno"
		case $2 in
		read) read_at 3 ;;
		write) write_at 3 ;;
		fsync) outcome if="$WORK/bytes" of="$DISK" bs=4k count=1 seek=3 oflag=direct conv=fsync ;;
		esac
		right
	done | tr '\n' ';'
}

NAMES="Input/output error;No space left on device;Connection timed out;Remote I/O error;No data available;Input/output error;Input/output error;"
for mode in "${MODES[@]}"; do
	choose "$mode"
	for operation in read write fsync; do
		same "$mode: the errors of $operation have their names" "$NAMES" "$(answers "$mode" $operation)"
	done
	check "$mode: the log names the image, the place and the error" \
		logged "tapdev$MINOR: write of 4096 bytes at 12288 of ${FILES[$mode]}: No space left on device"
	told_of_failure "$mode" "requests=[0-9]+ op=read offset=12288 length=4096"
	check "$mode: also for a sync" logged "tapdev$MINOR: flush of ${FILES[$mode]}: Input/output error"
	same "$mode: and then all is well" "done done" "$(write_at 3) $(read_at 3)"
	check "$mode: what was written is there" is_right
done

# What passes: nobody is told.
for errno in 11 16 4; do
	wrong "write error $errno"
	writers=()
	for mode in "${MODES[@]}"; do
		choose "$mode"
		again "$mode"
		background dd if="$WORK/bytes" of="$DISK" bs=4k count=16 seek=$((errno * 16)) oflag=direct
		writers+=("$JOB")
	done
	before=$(failures)
	check "errno $errno: it is tried again and again" wait_for 20 more_failures $((before + 6))
	right
	for i in 0 1 2; do
		ends "${MODES[i]}, errno $errno: the write succeeds in the end" 0 "${writers[i]}" 20
	done
done
for mode in "${MODES[@]}"; do
	choose "$mode"
	same "$mode: it can be read" "done" "$(read_at $((11 * 16)) 16)"
	check "$mode: and is right" is_right 16
	check "$mode: the log says that it was tried again" \
		logged "tapdev$MINOR: write of .* of ${FILES[$mode]}: Resource temporarily unavailable, .*again"
done

# What does not pass: many requests, all of which fail when their time is over.
storm() {
	fio --name=storm --filename="$1" --rw=randwrite --bs=4k --size=128k --direct=1 --ioengine=libaio --iodepth=32 \
		--continue_on_error=io --output-format=json
}
wrong "write error 11"
for mode in "${MODES[@]}"; do
	choose "$mode"
	again "$mode"
	before=$(wc -l <"$LOG")
	background storm "$DISK"
	storm=$JOB
	check "$mode, a storm: requests wait" wait_for 10 waiting 1
	milliseconds within 60 dd if="${disk_of[other]}" of=/dev/null bs=4k count=256 iflag=direct status=none
	check "$mode, a storm: the other disk reads 256 blocks meanwhile, in $TOOK ms" [ "$TOOK" -lt $((TIMEOUT * 500)) ]
	check "$mode, a storm: they still wait" waiting 1
	milliseconds reap "$storm" 60
	check "$mode, a storm: it is over in time, $TOOK ms later" [ "$TOOK" -lt $(((TIMEOUT + 3) * 1000)) ]
	same "$mode, a storm: each request failed" 32 "$(jq '.jobs[0].total_err' "$WORK/job.$storm")"
	check "$mode, a storm: the log stays short" [ $(($(wc -l <"$LOG") - before)) -le 40 ]
done
right
choose off
check "events have told of each request that failed" wait_for 12 told_of 53
choose other
check_not "and of none of the other disk" told "(io-error|extent-dropped)"
close_all
let_go

finish
