#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Wrong minors, pids, options: one line on standard error and the right status.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

image disk.img 8M
pid=$(tap-ctl spawn) || die "spawn"

refused "free: no such minor" 19 '77' tap-ctl free -m 77
refused "attach: no such minor" 19 '77' tap-ctl attach -p "$pid" -m 77
refused "detach: no such minor" 19 '77' tap-ctl detach -p "$pid" -m 77
refused "open: no such minor" 19 '77' tap-ctl open -p "$pid" -m 77 -a "aio:$IMAGE"
refused "close: no such minor" 19 '77' tap-ctl close -p "$pid" -m 77
refused "attach: no such tapdisk" 2 '99999' tap-ctl attach -p 99999 -m 0
refused "open: no such tapdisk" 2 '99999' tap-ctl open -p 99999 -m 0 -a "aio:$IMAGE"
refused "close: no such tapdisk" 2 '99999' tap-ctl close -p 99999 -m 0
refused "destroy: no such tapdisk" 2 '99999' tap-ctl destroy -p 99999 -m 0

must tap-ctl allocate
check "attach" tap-ctl attach -p "$pid" -m 0
refused "attach twice" 17 '0' tap-ctl attach -p "$pid" -m 0
other=$(tap-ctl spawn) || die "spawn"
refused "attach a busy minor" 16 '0' tap-ctl attach -p "$other" -m 0
refused "free while attached" 16 '0' tap-ctl free -m 0
check "open" tap-ctl open -p "$pid" -m 0 -a "aio:$IMAGE"
refused "open twice" 114 'open' tap-ctl open -p "$pid" -m 0 -a "aio:$IMAGE"
refused "detach while open" 16 'open' tap-ctl detach -p "$pid" -m 0
check "close" tap-ctl close -p "$pid" -m 0
check "detach" tap-ctl detach -p "$pid" -m 0
kill -TERM "$other"
check "free" tap-ctl free -m 0
refused "free again" 19 '0' tap-ctl free -m 0

# usage STATUS-22 COMMANDS: some text on standard error, nothing on stdout
usage() {
	local status
	tap-ctl "$@" >"$WORK/stdout" 2>"$WORK/stderr"
	status=$?
	same "tap-ctl $*: status 22 and a text" "22 0 text" \
		"$status $(wc -c <"$WORK/stdout") $([ -s "$WORK/stderr" ] && echo text)"
}
usage free
usage free -m
usage free -m x
usage free -m -1
usage free -m 4294967296
usage attach -m 0
usage open -p 1 -m 0
usage create
usage list -z
usage close -p 0x -m 0
usage allocate --queues 0x
check_not "an unknown command is an error" tap-ctl frobnicate

refused "allocate: no queue" 22 'queue' tap-ctl allocate --queues 0
refused "allocate: depth 1025" 22 'depth' tap-ctl allocate --depth 1025
refused "allocate: odd max-io" 22 'max' tap-ctl allocate --max-io 5000
same "nothing is listed" "" "$(tap-ctl list)"

finish
