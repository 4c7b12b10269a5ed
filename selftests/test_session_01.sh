#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The announced session, as on a terminal: every line of output exactly.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl script

image lenny.ext 16M
row() { printf '%8s %2s %4s %10s %s\n' "$@"; }
list() { on_a_terminal "tap-ctl list"; }

same "allocate prints the disk's path" "$NODES/tapdev0" "$(tap-ctl allocate)"
same "list: a tap alone" "$(row - 0 - - -)" "$(list)"
text=$(on_a_terminal "tap-ctl spawn")
pid=${text##* }
same "spawn tells the pid" "tapdisk spawned with pid $pid" "$text"
same "list: a tapdisk alone, and the tap" "$(row "$pid" - - - -; row - 0 - - -)" "$(list)"
same "attach says nothing" "" "$(on_a_terminal "tap-ctl attach -p $pid -m 0")"
same "list: attached" "$(row "$pid" 0 0 - -)" "$(list)"
same "open says nothing" "" "$(on_a_terminal "tap-ctl open -p $pid -m 0 -a aio:$IMAGE")"
same "list: open" "$(row "$pid" 0 0 aio "$IMAGE")" "$(list)"
check "the disk is there" test -b "$NODES/tapdev0"
same "close says nothing" "" "$(on_a_terminal "tap-ctl close -p $pid -m 0")"
same "list: closed" "$(row "$pid" 0 0x2 - -)" "$(list)"
check_not "the disk is gone" test -e "$NODES/tapdev0"
same "detach says nothing" "" "$(on_a_terminal "tap-ctl detach -p $pid -m 0")"
wait_for 10 no_tapdisk
same "list: the last VBD took the tapdisk along" "$(row - 0 - - -)" "$(list)"
same "free says nothing" "" "$(on_a_terminal "tap-ctl free -m 0")"
same "list: nothing" "" "$(list)"

must nl_tool new minor=0
must nl_tool new minor=12345
same "list: the minor's column grows, rows by number" \
	"$(printf '%8s %5s %4s %10s %s\n' - 0 - - - - 12345 - - -)" "$(list)"
check "free" tap-ctl free -m 0
check "free" tap-ctl free -m 12345

finish
