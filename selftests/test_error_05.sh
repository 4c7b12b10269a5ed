#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Without the module, and without the right.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl setpriv

nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"; }

image disk.img 1M
create -a "aio:$IMAGE"
refused "allocate without the right" 13 '.' nobody tap-ctl allocate
refused "free without the right" 13 '.' nobody tap-ctl free -m 0
refused "list without the right" 13 '.' nobody tap-ctl list
refused "close without the right" 13 '.' nobody tap-ctl close -p "$PID" -m 0
check_not "the ring node cannot be opened by others" nobody cat "$NODES/blktap0"
chmod 666 "$NODES/blktap0"
check_not "not even with access to the node" nobody cat "$NODES/blktap0"
check_not "the disk cannot be read by others" nobody dd if="$DISK" count=1
check "destroy" destroy

load=$(cat /proc/sys/kernel/modprobe)
without_module() {
	must modprobe -r blktap
	echo /bin/false >/proc/sys/kernel/modprobe
	refused "allocate without the module" 38 'module' tap-ctl allocate
	refused "free without the module" 38 'module' tap-ctl free -m 0
	refused "create without the module" 38 'module' tap-ctl create -a "aio:$IMAGE"
	text=$(tap-ctl list 2>/dev/null)
	same "list without the module: status 38" 38 $?
	same "list says so where scripts look" "blktap kernel module not installed" "$text"
	check "create without the module leaves no tapdisk" wait_for 5 no_tapdisk
	echo "$load" >/proc/sys/kernel/modprobe
}
without_module

if modprobe -n -q blktap; then
	check "the module loads on demand" tap-ctl allocate
	check "free" tap-ctl free -m 0
else
	skip "the module loads on demand" "modprobe does not find it"
fi
[ -d /sys/module/blktap ] || must modprobe blktap

finish
