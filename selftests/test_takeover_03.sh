#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Disks of all kinds change hands: paused and shared ones, in memory, with a map, without a
# disk, on a block device, and whose image has lost its name.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client jq

# another OPTIONS...: a tap at the tapdisk PID; MINOR.
another() {
	MINOR=$(tap-ctl allocate) || die "allocate"
	MINOR=${MINOR##*tapdev}
	must tap-ctl attach -p "$PID" -m "$MINOR"
	[ $# -eq 0 ] || must tap-ctl open -p "$PID" -m "$MINOR" "$@"
}
sum() { dd if="$NODES/tapdev$1" bs=64k iflag=direct status=none | sha256sum; }
fill() { must dd if=/dev/urandom of="$NODES/tapdev$1" bs=64k count=16 oflag=direct conv=fsync; }
all_free() {
	local minor
	for minor in "${!kinds[@]}"; do
		tap-ctl close -p "$PID" -m "$minor" && tap-ctl detach -p "$PID" -m "$minor" &&
			tap-ctl free -m "$minor" || return 1
	done
}

declare -A kinds=() sums=()
PID=$(tap-ctl spawn) || die "spawn"
another
kinds[$MINOR]="no disk"
another -a ram:4M
kinds[$MINOR]="in memory"
image scattered.img 8M
another -a "scatter:$IMAGE,block=64K"
kinds[$MINOR]="a map"
image golden.img 4M
must dd if=/dev/urandom of="$IMAGE" bs=1M count=4 conv=notrunc
golden=$IMAGE
another -R -a "aio:$golden"
kinds[$MINOR]="shared"
another -R -a "aio:$golden"
kinds[$MINOR]="shared, too"
image unnamed.img 4M
another -a "aio:$IMAGE"
kinds[$MINOR]="an image without a name"
unnamed=$MINOR
must rm "$IMAGE"
image cached.img 4M
another -D -a "aio:$IMAGE"
kinds[$MINOR]="through the page cache"
image paused.img 4M
another -a "aio:$IMAGE"
kinds[$MINOR]="paused"
paused=$MINOR
if ram_disk 16M; then
	another -a "aio:$RAM"
	kinds[$MINOR]="a block device"
fi
for minor in "${!kinds[@]}"; do
	[ -b "$NODES/tapdev$minor" ] || continue
	[[ ${kinds[$minor]} == shared* ]] || fill "$minor"
	sums[$minor]=$(sum "$minor")
done
same "pause" 0 "$(rpc_errno pause "{\"minor\":$paused}")"
before=$(tap-ctl list -p "$PID" | sed 's/^pid=[0-9]* //')

check "takeover" take_over
same "the list is as before" "$before" "$(tap-ctl list -p "$PID" | sed 's/^pid=[0-9]* //')"
same "the shared image is open once" 1 "$(image_fds "$golden")"
background dd if="$NODES/tapdev$paused" of=/dev/null bs=64k count=1 iflag=direct
reader=$JOB
MINOR=$paused
check "requests of the paused disk wait" wait_for 10 blocked "$reader"
same "the driver tells who holds them" 0 "$(tap_value "$paused" recovery)"
same "unpause" 0 "$(rpc_errno unpause "{\"minor\":$paused}")"
ends "they go on" 0 "$reader"
check "takeover" take_over
for minor in "${!kinds[@]}"; do
	if [ -n "${sums[$minor]-}" ]; then
		same "${kinds[$minor]}: the data is right" "${sums[$minor]}" "$(sum "$minor")"
	else
		check "${kinds[$minor]}: can be given one" tap-ctl open -p "$PID" -m "$minor" -a ram:1M
	fi
done
for minor in "${!kinds[@]}"; do
	[[ ${kinds[$minor]} == shared* ]] || fill "$minor"
done
other=$(tap-ctl create -R -a "aio:$WORK/cached.img" 2>"$WORK/refusal")
same "locks of images are there" "" "$other"
check "as another tapdisk is told" grep -q 'open for writing elsewhere' "$WORK/refusal"
check "one that has lost its image's name is served" sum "$unnamed"
check "all go" all_free

finish
