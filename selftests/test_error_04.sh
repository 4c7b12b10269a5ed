#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Sockets of dead tapdisks, and tapdisks that cannot start.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

pid=$(tap-ctl spawn) || die "spawn"
kill -KILL "$pid"
check "the killed tapdisk is gone" wait_for 10 no_tapdisk
check "its socket is still there" test -S "$CONTROL/ctl$pid"
must tap-ctl allocate
refused "attach to a dead tapdisk" 2 "$pid" tap-ctl attach -p "$pid" -m 0
same "list is not confused" "minor=0" "$(tap-ctl list)"
same "list -p of it" "" "$(tap-ctl list -p "$pid")"
check "another tapdisk starts" tap-ctl spawn
new=$(tapdisks)
check "and is used" tap-ctl attach -p "$new" -m 0
check "detach" tap-ctl detach -p "$new" -m 0
rm -f "$CONTROL/ctl$pid"

refused "spawn: no such program" 1 '.' env TAPDISK="$WORK/none" tap-ctl spawn
printf '#!/bin/sh\nexit 3\n' >"$WORK/refusing"
chmod +x "$WORK/refusing"
refused "spawn: a program that fails at once" 1 'refusing' env TAPDISK="$WORK/refusing" tap-ctl spawn
: >"$WORK/file"
refused "spawn: a control directory that is none" 1 "$WORK/file" \
	env BLKTAP_CONTROL_DIR="$WORK/file" tap-ctl spawn
image disk.img 1M
refused "create without a tapdisk" 1 '.' env TAPDISK="$WORK/none" tap-ctl create -a "aio:$IMAGE"
same "leaves nothing" "minor=0" "$(tap-ctl list)"
check "free" tap-ctl free -m 0

finish
