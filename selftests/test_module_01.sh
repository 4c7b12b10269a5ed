#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Unloading: refused at once while a tap exists, complete afterwards.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl mkfs.ext4

loaded() { grep -q '^blktap ' /proc/modules; }
unloaded() { ! loaded; }
# The use count is what "in use" means; rmmod says it in words.
in_use() {
	check_not "rmmod is refused: $1" within 5 sh -c "rmmod blktap 2>'$WORK/rmmod'"
	check "because it is in use" grep -qi 'in use' "$WORK/rmmod"
}

must tap-ctl allocate
in_use "a tap exists"
background nl_tool stall
stalled=$JOB
wait_for 10 grep -qx asked "$WORK/job.$stalled" || die "nobody has asked for a list"
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

image mounted.img 16M
create -a "aio:$IMAGE" --kernel-io=off
must mkfs.ext4 -q "$DISK"
mkdir "$WORK/mnt"
must mount "$DISK" "$WORK/mnt"
in_use "a disk is mounted"
must kill -STOP "$PID"
background dd if=/dev/zero of="$WORK/mnt/file" bs=64k count=8 conv=fsync
writer=$JOB
wait_for 10 waiting 1 || die "the stopped tapdisk has no request"
in_use "its tapdisk is stopped and has requests"
must kill -CONT "$PID"
ends "what was written meanwhile gets there" 0 "$writer"
must kill -KILL "$PID"
wait_for 10 job_gone "$PID"
in_use "its tapdisk is dead"
check "recover" tap-ctl recover -m "$MINOR"
PID=$(pid_of "$MINOR")
check "umount" umount "$WORK/mnt"
check "destroy" destroy

image disk.img 1M

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
