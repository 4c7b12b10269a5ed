#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A disk keeps its size when its tapdisk dies, whatever its image has become meanwhile, unless
# that is smaller; and its image, whatever has taken that one's name.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq

size() { blockdev --getsize64 "$DISK"; }
is_held() { [ "$(tap-ctl info --json -m "$MINOR" | jq -r .recovery)" = held ]; }
lost() {
	must kill -KILL "$PID"
	wait_for 10 is_held || die "the disk is not held"
}
# recovers TEXT SIZE ARGUMENT...: after the death of PID
recovers() {
	check "$1: recover" tap-ctl recover -m "$MINOR" "${@:3}"
	PID=$(pid_of "$MINOR")
	[ -n "$PID" ] || die "$1: nobody has it"
	same "$1: the disk keeps its size" "$2" "$(size)"
	check "$1: its end is served" dd if="$DISK" of=/dev/null bs=4k skip=$(($2 / 4096 - 1)) iflag=direct
}

# writer: who writes $WORK/data to the disk, and waits for that.
writer() {
	background dd if="$WORK/data" of="$DISK" bs=4k count=1 oflag=direct conv=notrunc
	wait_for 10 blocked "$JOB" || die "who writes to a held disk does not wait"
}
has_data() { cmp -n 4096 "$1" "$WORK/data"; }
# swap FILE: it has the name of the image, and the other way round.
swap() { must mv "$IMAGE" "$WORK/swapped" && must mv "$1" "$IMAGE" && must mv "$WORK/swapped" "$1"; }

# replaced TEXT SIZE: another file takes the image's name while the disk is there.
replaced() {
	local text=$1 other=$WORK/other.img
	must cp --sparse=always "$IMAGE" "$other"
	must cp --sparse=always "$IMAGE" "$WORK/before"
	swap "$other"
	refused "${text}replaced: -f kills nobody for it" 116 "is another file than the disk had: say -a aio:$IMAGE" \
		tap-ctl recover -f -m "$MINOR"
	check "${text}who has it is alive" kill -0 "$PID"
	lost
	writer
	refused "${text}replaced" 116 'is another file than the disk had' tap-ctl recover -m "$MINOR"
	check "${text}the disk waits" is_held
	check "${text}the other file is as it was" cmp "$IMAGE" "$WORK/before"
	swap "$other"
	recovers "${text}brought back" "$2"
	ends "${text}what waited is written" 0 "$JOB"
	check "${text}to the one that the disk had" has_data "$IMAGE"
	lost
	swap "$other"
	writer
	refused "${text}replaced after its death" 116 'is another file' tap-ctl recover -m "$MINOR"
	recovers "${text}replaced, and named" "$2" -a "aio:$IMAGE"
	ends "${text}what waited is written" 0 "$JOB"
	check "${text}to the one that was named" has_data "$IMAGE"
	lost
	recovers "${text}which is its image from then on" "$2"
	must rm "$other"
}

# file TEXT OPTION...: the file below changes while the disk is there.
file() {
	local text=$1
	shift
	image disk.img 4M
	create "$@" --hold-time 120 -a "aio:$IMAGE"
	must truncate -s 5M "$IMAGE"
	lost
	must cp --sparse=always "$IMAGE" "$WORK/other.img"
	refused "${text}another image that is larger" 124 'has 4194304 bytes' \
		tap-ctl recover -m "$MINOR" -a "aio:$WORK/other.img"
	recovers "${text}larger" 4194304
	same "${text}until it is resized" 5242880 "$(tap-ctl resize -p "$PID" -m "$MINOR")"
	same "${text}to what the file has" 5242880 "$(size)"
	must truncate -s 6M "$IMAGE"
	lost
	recovers "${text}larger, and named" 5242880 -a "aio:$IMAGE"
	lost
	must truncate -s 3M "$IMAGE"
	refused "${text}smaller" 124 'has 5242880 bytes' tap-ctl recover -m "$MINOR"
	check "${text}the disk waits" is_held
	must truncate -s 5M "$IMAGE"
	recovers "${text}as long as before" 5242880
	replaced "$text" 5242880
	check "${text}destroy" destroy
	must rm "$IMAGE"
}

must dd if=/dev/urandom of="$WORK/data" bs=4k count=1
chmod 755 "$WORK"
file ""
if tap-ctl create --user nobody -a ram:4M 2>&1 | grep -q AddressSanitizer; then
	skip "--user" "a tapdisk with AddressSanitizer is not confined"
else
	MINOR=0 PID=$(pid_of 0)
	must destroy
	file "--user: " --user nobody
	# Their sockets go with the next look at them.
	must tap-ctl list
fi

# Bytes that are no whole block are in nobody's way.
image odd.img 4M
create --hold-time 120 -a "aio:$IMAGE"
p=(-m "$MINOR")
must truncate -s 5242980 "$IMAGE"
same "an odd file: whole blocks are served" 5242880 "$(tap-ctl resize -p "$PID" "${p[@]}")"
check "an odd file: pause" tap-ctl pause -p "$PID" "${p[@]}"
check "an odd file: unpause" tap-ctl unpause -p "$PID" "${p[@]}"
check "an odd file: takeover" take_over
lost
recovers "an odd file" 5242880
check "destroy" destroy
refused "an odd file for a new disk" 22 'not a multiple of the block size' tap-ctl create -a "aio:$IMAGE"

# A block device, of which the disk takes a part.
create -a ram:8M
below=$DISK q=(-p "$PID" -m "$MINOR")
create --hold-time 120 -a "aio:$below"
same "smaller than the device" 4194304 "$(tap-ctl resize -p "$PID" -m "$MINOR" -s 4M --shrink)"
lost
recovers "a part of a device" 4194304
same "all of the device" 8388608 "$(tap-ctl resize -p "$PID" -m "$MINOR")"
check "destroy" destroy
check "destroy the one below" tap-ctl destroy "${q[@]}"

# The same name, made anew: for the kernel it is another disk.
if slow_disk 0 8M; then
	create --hold-time 120 -a "aio:$SLOW"
	was=$SLOW
	lost
	recovers "a device" 8388608
	lost
	wait_for 10 slow_disk_gone || die "the device is in use"
	slow_disk 0 8M || die "the device cannot be made again"
	same "a device made anew has its name" "$was" "$SLOW"
	refused "but is another one" 116 'is another device than the disk had' tap-ctl recover -m "$MINOR"
	recovers "a device made anew, and named" 8388608 -a "aio:$SLOW"
	check "destroy" destroy
	check "the device is free" wait_for 10 slow_disk_gone
else
	skip "a device made anew" "needs brd and dm-delay"
fi

# A record is of one disk: the next one with that minor has a tapdisk that keeps records elsewhere.
seq() { cat "/sys/block/xen!blktap-2!tapdev$MINOR/diskseq"; }
recorded() { jq .disk_seq "$CONTROL/tap$MINOR.json"; }
elsewhere() { env BLKTAP_CONTROL_DIR="$WORK/elsewhere" "$@"; }
image disk.img 4M
create --hold-time 120 -a "aio:$IMAGE"
was=$(seq) earlier=$MINOR
same "which disk it is, is on record" "$was" "$(recorded)"
lost
recovers "which disk" 4194304
same "after its tapdisk's death it is the same one" "$was $was" "$(seq) $(recorded)"
check "takeover" take_over
same "and after a takeover" "$was $was" "$(seq) $(recorded)"
must cp -p "$CONTROL/tap$MINOR.json" "$WORK/record"
check "destroy" destroy
image next.img 4M
DISK=$(elsewhere tap-ctl create --hold-time 120 -a "aio:$IMAGE") || die "tap-ctl create"
MINOR=${DISK##*tapdev}
[ "$MINOR" = "$earlier" ] || die "the next disk has another minor"
PID=$(elsewhere tap-ctl info --json -m "$MINOR" | jq .pid)
must cp -p "$WORK/record" "$CONTROL/tap$MINOR.json"
lost
writer
refused "a record of an earlier disk" 116 "aio:$WORK/disk.img is on record for an earlier disk, $was, and this one is $(seq)" \
	tap-ctl recover -m "$MINOR"
check "the disk waits" is_held
recovers "the image that it has" 4194304 -a "aio:$IMAGE"
ends "what waited is written" 0 "$JOB"
check "to that one" has_data "$IMAGE"
check_not "the earlier disk's has not got it" has_data "$WORK/disk.img"
same "which disk it is, is on record" "$(seq)" "$(recorded)"
check "destroy" destroy

# Nor does the supervisor take what has the name.
background "$(type -P tap-ctl)" supervise
supervisor=$JOB
check "a supervisor runs" wait_for 5 supervisor_runs
another() {
	local new
	new=$(pid_of "$MINOR")
	[ -n "$new" ] && [ "$new" != "$PID" ] && PID=$new
}
image disk.img 4M
create --restart --hold-time 120 -a "aio:$IMAGE"
must cp --sparse=always "$IMAGE" "$WORK/other.img"
swap "$WORK/other.img"
must kill -KILL "$PID"
check "the supervisor says why it does not recover it" \
	wait_for 10 grep -q "tapdev$MINOR: not recovered: .* is another file than the disk had" "$WORK/job.$supervisor"
writer
check "the disk waits" is_held
check_not "the other file has not what is written" has_data "$IMAGE"
swap "$WORK/other.img"
check "it takes the one that the disk had" wait_for 30 another
ends "what waited is written" 0 "$JOB"
check "to that one" has_data "$IMAGE"
check "destroy" destroy
must kill -TERM "$supervisor"
ends "the supervisor ends when it is told to" 0 "$supervisor"

finish
