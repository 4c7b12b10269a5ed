#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Several VBDs in one tapdisk, and which of them list shows.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio

COUNT=12
pid=$(tap-ctl spawn) || die "spawn"
expected=''
for ((i = 0; i < COUNT; i++)); do
	image "disk$i" 4M
	must tap-ctl allocate
	must tap-ctl attach -p "$pid" -m "$i"
	must tap-ctl open -p "$pid" -m "$i" -a "aio:$IMAGE"
	printf 'disk %d' "$i" | dd of="$IMAGE" conv=notrunc status=none
	expected+="pid=$pid minor=$i state=0 args=aio:$IMAGE"$'\n'
done
same "list shows all $COUNT by number" "${expected%$'\n'}" "$(tap-ctl list)"
same "list -p is complete" "${expected%$'\n'}" "$(tap-ctl list -p "$pid")"
same "list -m" "$(sed -n 8p <<<"$expected")" "$(tap-ctl list -m 7)"
same "list -f" "$(sed -n 11p <<<"$expected")" "$(tap-ctl list -f "$WORK/disk10")"
same "list -t" "${expected%$'\n'}" "$(tap-ctl list -t aio)"
same "list -t of a type that is not there" "" "$(tap-ctl list -t ram)"
same "list -m of a minor that is not there" "" "$(tap-ctl list -m 99)"

wrong=0
for ((i = 0; i < COUNT; i++)); do
	text=$(dd if="$NODES/tapdev$i" iflag=direct bs=4k count=1 status=none | tr -d '\0')
	[ "$text" = "disk $i" ] || wrong=$((wrong + 1))
done
same "each disk has its own image" 0 $wrong

background fio --name=one --filename="$NODES/tapdev0" --rw=randrw --bs=4k --size=4M \
	--direct=1 --ioengine=libaio --iodepth=16 --time_based --runtime=3
busy=$JOB
for ((i = 1; i < COUNT; i++)); do
	must tap-ctl close -p "$pid" -m "$i"
	must tap-ctl detach -p "$pid" -m "$i"
	must tap-ctl free -m "$i"
done
ends "the first disk works while the others leave" 0 "$busy" 60
same "list shows the one left" "$(head -n 1 <<<"$expected")" "$(tap-ctl list)"
check "close" tap-ctl close -p "$pid" -m 0
check "detach" tap-ctl detach -p "$pid" -m 0
check "the tapdisk ends with its last VBD" wait_for 10 no_tapdisk
check "free" tap-ctl free -m 0

finish
