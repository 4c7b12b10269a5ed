#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# create and destroy; the nodes, majors and sysfs names that scripts rely on.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

major() { awk -v name="$1" '$2 == name { print $1 }' /proc/devices; }
numbers() { stat -c '%t:%T' "$1"; }
words() { printf '%x:%x\n' "$1" "$2"; }

image disk.img 8M
create -a "aio:$IMAGE"
same "create prints the disk's path" "$NODES/tapdev0" "$DISK"
same "list" "pid=$PID minor=0 state=0 args=aio:$IMAGE" "$(tap-ctl list)"
check "the ring node is a character device" test -c "$NODES/blktap0"
same "its numbers" "$(words "$(major blktap2)" 0)" "$(numbers "$NODES/blktap0")"
same "the disk's numbers" "$(words "$(major tapdev)" 0)" "$(numbers "$DISK")"
check "the disk in sysfs" test -d '/sys/block/xen!blktap-2!tapdev0'
check "the ring in sysfs" test -d '/sys/class/blktap2/xen!blktap-2!blktap0'
same "the control directory is private" "700" "$(stat -c %a "$CONTROL")"
same "the control socket is private" "600" "$(stat -c %a "$CONTROL/ctl$PID")"
check "destroy" destroy
same "nothing is listed" "" "$(tap-ctl list)"

check "create with queues, depth and max-io" \
	tap-ctl create -a "aio:$IMAGE" --queues 1 --depth 16 --max-io 65536
PID=$(pid_of 0)
same "the driver got them" "1 16 65536" \
	"$(tap_value 0 queues) $(tap_value 0 depth) $(tap_value 0 max_io)"
same "max_sectors follows" 64 "$(cat '/sys/block/xen!blktap-2!tapdev0/queue/max_hw_sectors_kb')"
check "destroy" tap-ctl destroy -p "$PID" -m 0

check "create of a RAM disk" tap-ctl create -a ram:4M
PID=$(pid_of 0)
same "its size" $((4 << 20)) "$(blockdev --getsize64 "$NODES/tapdev0")"
check "destroy" tap-ctl destroy -p "$PID" -m 0

check "allocate with queues, depth and max-io" tap-ctl allocate --queues 1 --depth 1024 --max-io 1048576
same "the driver got them" "1 1024 1048576" \
	"$(tap_value 0 queues) $(tap_value 0 depth) $(tap_value 0 max_io)"
check "free" tap-ctl free -m 0

finish
