#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# allocate -d and create -d: a link of one's own to the disk, as long as the tap
# lives; serial number and UUID.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

link=$WORK/my-disk
same "allocate -d prints the link" "$link" "$(tap-ctl allocate -d "$link")"
same "it leads to the disk" "$NODES/tapdev0" "$(readlink "$link")"
refused "a name that is taken" 17 "$link" tap-ctl allocate -d "$link"
same "leaves no tap" "minor=0" "$(tap-ctl list)"
pid=$(tap-ctl spawn) || die "spawn"
must tap-ctl attach -p "$pid" -m 0
must tap-ctl open -p "$pid" -m 0 -a ram:4M
same "the disk can be used by it" 4194304 "$(blockdev --getsize64 "$link")"
must tap-ctl close -p "$pid" -m 0
must tap-ctl detach -p "$pid" -m 0
check "it stays while the tap does" test -L "$link"
check "free" tap-ctl free -m 0
check_not "and goes with it" test -L "$link"

same "create -d prints the link" "$link" "$(tap-ctl create -d "$link" -a ram:4M)"
check "destroy" tap-ctl destroy -p "$(pid_of 0)" -m 0
check_not "destroy takes it along" test -L "$link"
refused "create -d that fails" 2 'frob' tap-ctl create -d "$link" -a frob:x
wait_for 10 no_tapdisk
check_not "leaves no link" test -L "$link"

must tap-ctl allocate -d "$link"
rm "$link"
: >"$link"
check "free, when there is something else of that name" tap-ctl free -m 0
check "which is not touched" test -f "$link"
refused "a link in a folder that is not there" 2 "$WORK/none" tap-ctl allocate -d "$WORK/none/disk"
same "leaves no tap" "" "$(tap-ctl list)"

uuid=01234567-89ab-cdef-0123-456789abcdef
must tap-ctl create -a ram:4M --serial "lenny 1" --uuid $uuid
same "the serial number" "lenny 1" "$(cat '/sys/block/xen!blktap-2!tapdev0/serial' 2>/dev/null ||
	tap-ctl info -m 0 | sed -n 's/^serial[:= ]*//p')"
same "the UUID" "$uuid" "$(tap-ctl info -m 0 | sed -n 's/^uuid[:= ]*//p')"
check "destroy" tap-ctl destroy -p "$(pid_of 0)" -m 0

finish
