#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Serial number and UUID of a disk in sysfs, where the tap has them.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup

attribute() { cat "/sys/block/xen!blktap-2!tapdev$MINOR/$1"; }
absent() { [ ! -e "/sys/block/xen!blktap-2!tapdev$MINOR/$1" ]; }

serve "serial=disk-7 uuid=0011223344556677889900aabbccddff" --size 1M
same "serial" disk-7 "$(attribute serial)"
same "uuid" 00112233-4455-6677-8899-00aabbccddff "$(attribute uuid)"
same "for reading only" "444 444" "$(stat -c %a "/sys/block/xen!blktap-2!tapdev$MINOR/"{serial,uuid} | xargs)"
unserve

serve "" --size 1M
check "no serial, no attribute" absent serial
check "no uuid, no attribute" absent uuid
unserve

long=$(printf 'x%.0s' {1..64})
serve "serial=$long" --size 1M
same "the longest serial" "$long" "$(attribute serial)"
check "a serial alone" absent uuid
unserve

finish
