#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What a confined tapdisk cannot do any more: its own threads try.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl syscall_in names_in capsh

log_expect "$LOG_DENIED"
create -a ram:4M
confined=$PID
! grep -q libasan "/proc/$PID/maps" || { must destroy; skip_all "a tapdisk with AddressSanitizer is not confined"; }
create --no-sandbox -a ram:4M
free=$PID
same "--no-sandbox: system calls" 0 "$(sed -n 's/^Seccomp:\t//p' "/proc/$free/status")"
same "--no-sandbox: capabilities" "$(sed -n 's/^CapEff:\t//p' /proc/self/status)" \
	"$(sed -n 's/^CapEff:\t//p' "/proc/$free/status")"

mkdir "$WORK/folder"
lane=$(find "/proc/$confined/task" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -n 1)
check "there are other threads than the first" [ "$lane" != "$confined" ]
for thread in "$confined" "$lane"; do
	adopt syscall_in "$thread" "$free"
	adopt names_in "$thread" "$free" "$WORK/folder" "$CONTROL"
done

if grep -q audit /proc/kallsyms && [ -e /proc/self/loginuid ]; then
	check "what was refused is in the kernel's log" wait_for 10 \
		eval "dmesg | grep '$LOG_DENIED' | grep 'comm=\"tapdisk\"'"
else
	skip "what was refused is in the kernel's log" "a kernel without audit"
fi
# One of another user, in a folder whose rights refuse nobody.
create --user nobody -a ram:4M
user=$PID
must mkdir -m 777 "$WORK/folder/open"
chmod 711 "$WORK" "$WORK/folder"
adopt names_in "$user" "$free" "$WORK/folder/open"

for PID in "$confined" "$free" "$user"; do
	MINOR=$(tap-ctl list -p "$PID" | sed -n 's/.*minor=\([0-9]*\).*/\1/p')
	check "it still serves its disk" dd if=/dev/zero of="$NODES/tapdev$MINOR" bs=64k count=8 oflag=direct
	check "and can be closed" destroy
done
# The socket of another user's goes with the next look at them.
must tap-ctl list

finish
