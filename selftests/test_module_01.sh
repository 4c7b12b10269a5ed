#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Unloading: refused while a tap exists, complete afterwards.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

loaded() { grep -q '^blktap ' /proc/modules; }
unloaded() { ! loaded; }
# The use count is what "in use" means; rmmod says it in words.
in_use() {
	check_not "rmmod is refused: $1" sh -c "rmmod blktap 2>'$WORK/rmmod'"
	check "because it is in use" grep -qi 'in use' "$WORK/rmmod"
}

must tap-ctl allocate
in_use "a tap exists"
background nl_tool stall
stalled=$JOB
wait_for 10 grep -qx asked "$WORK/job.$stalled"
exec 8<>"$NODES/blktap0" 7<"/sys/class/blktap2/blktap!blktap0/task"
must tap-ctl free -m 0
in_use "the ring node of a freed tap is open"
exec 8>&-
in_use "a list has been asked for and not been read"
kill "$stalled"
reap "$stalled"
check "an open file of a freed tap in /sys keeps nothing" wait_for 10 rmmod blktap
check_not "and reads nothing" cat <&7
exec 7<&-
must modprobe blktap
image disk.img 1M
create -a "aio:$IMAGE"
in_use "a disk is served"
check "the disk works on" dd if="$DISK" of=/dev/null bs=64k iflag=direct
check "destroy" destroy

for ((i = 0; i < 3; i++)); do
	check "rmmod" wait_for 10 rmmod blktap
	check "it is gone" unloaded
	check_not "from /proc/devices" grep -E ' (tapdev|blktap2)$' /proc/devices
	check_not "from /sys/class" test -e /sys/class/blktap2
	check_not "from /dev" test -e "$NODES"
	check "modprobe" modprobe blktap
	create -a "aio:$IMAGE"
	check "and again a disk" dd if="$DISK" of=/dev/null bs=64k iflag=direct
	check "destroy" destroy
done
same "no message of the module at level error" "" "$(dmesg -r | grep '^<[0-3]>.*blktap: ')"

finish
