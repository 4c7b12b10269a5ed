#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tapdisk dies under a mounted file system: errors, no hang, and everything can be taken down.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl mkfs.ext4
log_expect_errors
log_expect 'I/O error|EXT4-fs|JBD2|Aborting journal'

image disk.img 24M
create --on-death=fail -a "aio:$IMAGE"
check "mkfs.ext4" mkfs.ext4 -q "$DISK"
mkdir -p "$WORK/mnt"
must mount "$DISK" "$WORK/mnt"
must cp -a /etc/passwd "$WORK/mnt/kept"
must sync -f "$WORK/mnt"
background sh -c "while dd if=/dev/zero of='$WORK/mnt/file' bs=256k count=16 conv=fsync; do :; done; exit 1"
writer=$JOB
wait_for 10 test -s "$WORK/mnt/file"
kill -KILL "$PID"
fails "the writer gets an error" "$writer"
check "umount does not hang" within 60 umount "$WORK/mnt"
check "the tap can be freed" tap-ctl free -m 0
check "its disk goes with it" wait_for 10 test ! -e "$DISK"
rm -f "$CONTROL"/ctl*

create -a "aio:$IMAGE"
check "another tapdisk serves the image: mount" mount "$DISK" "$WORK/mnt"
check "what had been synced is there" cmp /etc/passwd "$WORK/mnt/kept"
check "umount" umount "$WORK/mnt"
check "destroy" destroy

finish
