#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Images that cannot be opened: the right status, and create leaves nothing.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

clean_after_create() {
	wait_for 5 no_tapdisk
	same "nothing is left" "" "$(tap-ctl list; control_sockets; ls "$NODES" 2>/dev/null)"
}

# bad TEXT STATUS PATTERN IMAGE: by open and by create
bad() {
	refused "open: $1" "$2" "$3" tap-ctl open -p "$pid" -m 0 -a "$4"
	same "the VBD is as before" "pid=$pid minor=0 state=0" "$(tap-ctl list -m 0)"
}

bad_create() {
	refused "create: $1" "$2" "$3" tap-ctl create -a "$4"
	clean_after_create
}

mkdir "$WORK/directory"
truncate -s 5000 "$WORK/odd"
: >"$WORK/empty"
truncate -s 1M "$WORK/image"
mkfifo "$WORK/pipe"

cases() {
	"$1" "missing" 2 "$WORK/missing" "aio:$WORK/missing"
	"$1" "a directory" 21 "$WORK/directory" "aio:$WORK/directory"
	"$1" "odd size" 22 "$WORK/odd" "aio:$WORK/odd"
	"$1" "empty" 22 "$WORK/empty" "aio:$WORK/empty"
	"$1" "unknown type" 2 "frob" "frob:$WORK/image"
	"$1" "no type" 22 "." "$WORK/image"
	"$1" "a character device" 22 "/dev/null" "aio:/dev/null"
	"$1" "a pipe" 22 "$WORK/pipe" "aio:$WORK/pipe"
	"$1" "RAM without a size" 22 "." "ram:"
	"$1" "RAM of odd size" 22 "." "ram:1000"
}

cases bad_create

must tap-ctl allocate
pid=$(tap-ctl spawn) || die "spawn"
must tap-ctl attach -p "$pid" -m 0
cases bad
check "after all that the VBD can still be opened" \
	tap-ctl open -p "$pid" -m 0 -a "aio:$WORK/image"
check "destroy" tap-ctl destroy -p "$pid" -m 0

finish
