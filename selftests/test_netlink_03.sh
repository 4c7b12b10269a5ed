#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A thousand taps, allocated, listed and freed; and four thousand by the driver alone.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

COUNT=1000

ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

start=$(ms)
for ((i = 0; i < COUNT; i++)); do
	nl_tool new minor=$i queues=2 >>"$WORK/new" || break
done
same "$COUNT taps allocated" "$COUNT" "$(wc -l <"$WORK/new")"
allocated=$(ms)
tap-ctl list >"$WORK/list"
listed=$(ms)
same "all are listed, by number" "$(seq -f 'minor=%.0f' 0 $((COUNT - 1)))" "$(cat "$WORK/list")"
same "each has a node" $COUNT "$(find "$NODES" -name 'blktap*' -type c | wc -l)"
image disk.img 1M
create -a "aio:$IMAGE"
same "one more gets the next number" "$NODES/tapdev$COUNT" "$DISK"
check "and works" dd if=/dev/zero of="$DISK" oflag=direct bs=64k count=16
check "destroy" destroy
begin=$(ms)
seq 0 $((COUNT - 1)) | xargs -n 250 nl_tool del
same "all are freed" 0 $?
freed=$(ms)
same "none is listed" "" "$(tap-ctl list)"
same "no node is left" "" "$(ls "$NODES" 2>/dev/null)"
note "ms for $COUNT taps: allocate $((allocated - start)) (a process each), list $((listed - allocated)), free $((freed - begin))"

check "4096 taps by the driver alone" nl_tool many 4096
note "$(cat "$WORK/check")"

finish
