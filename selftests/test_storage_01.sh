#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The storage below answers with errors. Each reaches whoever asked under its name, or
# as "Input/output error"; the log names the image, and events tell; what may pass is tried
# again, but not for ever; and the other disk of the tapdisk notices nothing.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/storage.sh"
setup tap-ctl jq fuse_hang fio blkdiscard fallocate
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

# failures_told: how many requests of MINOR have failed, as events tell.
failures_told() { events io-error | awk -F 'requests=' '{ n += $2 } END { print n + 0 }'; }
all_told() { [ "$(failures_told)" = "$1" ]; }

# ask OPERATION: what a program is told.
ask() {
	case $1 in
	read) read_at 3 ;;
	write) write_at 3 ;;
	flush) outcome if="$WORK/bytes" of="$DISK" bs=4k count=1 seek=3 oflag=direct conv=fsync ;;
	discard) outcome_of blkdiscard -o 12288 -l 4096 "$DISK" ;;
	"write zeroes") outcome_of fallocate -p -o 12288 -l 4096 "$DISK" ;;
	esac
}
OPERATIONS=(read write flush discard "write zeroes")
# What they are to the image.
declare -A below_of=([read]=read [write]=write [flush]=fsync [discard]=fallocate ["write zeroes"]=fallocate)

# answers MODE OPERATION ERRNO...: what a program is told of each.
answers() {
	local errno
	for errno in "${@:3}"; do
		again "$1"
		wrong "${below_of[$2]} error $errno"
		ask "$2"
		right
	done | tr '\n' ';'
}

declare -A NAMES=([28]="No space left on device" [110]="Connection timed out" [121]="Remote I/O error"
	[61]="No data available" [30]="Input/output error" [122]="Input/output error")
for mode in "${MODES[@]}"; do
	choose "$mode"
	began=$SECONDS
	# The log does not tell of many.
	for operation in "${OPERATIONS[@]}"; do
		place=" of 4096 bytes at 12288"
		[ "$operation" != flush ] || place=
		same "$mode: $operation fails" "Input/output error;" "$(answers "$mode" "$operation" 5)"
		check "$mode: the log names the image, the place and the error" \
			logged "tapdev$MINOR: $operation$place of ${FILES[$mode]}: Input/output error"
		[ "$operation" != read ] || told_of_failure "$mode" "requests=1 op=read offset=12288 length=4096"
	done
	for operation in "${OPERATIONS[@]}"; do
		errnos=(28 110 121 61 30 122)
		[ "${below_of[$operation]}" != fallocate ] || errnos=(28 110)
		same "$mode: the errors of $operation have their names" \
			"$(for errno in "${errnos[@]}"; do printf '%s;' "${NAMES[$errno]}"; done)" \
			"$(answers "$mode" "$operation" "${errnos[@]}")"
	done
	check "$mode: the next event tells of the write" \
		wait_for 12 told "io-error .*op=write offset=12288 length=4096 error=Input/output error"
	check "$mode: events tell how many have failed since" wait_for 12 all_told 27
	began=$((SECONDS - began))
	check "$mode: at most one in 10 s, in $began s" [ "$(events io-error | wc -l)" -le $((began / 10 + 2)) ]
	same "$mode: and then all is well" "done done" "$(write_at 3) $(read_at 3)"
	check "$mode: what was written is there" is_right
done

# What passes: nobody is told.
for errno in 11 16 4 12; do
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
for mode in "${MODES[@]}"; do
	choose "$mode"
	check "$mode: who moved the bytes" moves "$mode" 5
	check "$mode: events have told of each request that failed" wait_for 12 all_told 59
done
choose auto
same "and once of each extent that was lost" 19 "$(events extent-dropped | wc -l)"
told_nothing other
close_all
let_go

finish
