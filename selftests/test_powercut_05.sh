#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Those who look for what a power cut takes find it: below a server that leaves out a few
# FLUSHes, or that does not honour FUA, promises are broken; below the same one, when it
# is honest, they are not.
. "$(dirname "$(readlink -f "$0")")/common.sh"
. "$HERE/power.sh"
setup ring_server dmsetup durable_write durable_log
power_setup

# written OPTIONS...: for a second, by way of a server with these options.
written() {
	logged_disk 16M
	serve "" --size 16M --no-scan --write-cache --backing "$LOGGED" "$@"
	must mark start
	PROMISES=$(durable_write -t 1 "$LOGGED_NAME" "$DISK")
	unserve
	must logged_disk_gone
}

# verdict COMMAND...: its exit status; what it says is in $WORK/verdict.
verdict() {
	"$@" >"$WORK/verdict"
	echo $?
}

# lost_at_cuts: how many of the cuts right after a promise take some of what was promised.
lost_at_cuts() {
	local image=$WORK/cut/image cut lost=0
	while read -r cut; do
		rm -f "$image"
		truncate -s "$LOGGED_SIZE" "$image"
		durable_log replay "$LOG" "$cut" 0 "$image" >"$WORK/promises" || return
		[ "$(verdict kept "$image" r)" = 0 ] || lost=$((lost + 1))
	done < <(durable_log cuts "$LOG" 8 "$RANDOM" | sed -n 'p; n')
	echo "$lost"
}

written
check "an honest server: much was promised, $PROMISES times" enough "$PROMISES"
same "and all is kept" 0 "$(verdict durable_log check "$LOG" "$LOGGED_SIZE")"
same "also as replays tell" 0 "$(lost_at_cuts)"

written --fault unsynced --after 10 --times 10
check "one that leaves out ten FLUSHes: much was promised, $PROMISES times" enough "$PROMISES"
same "something is lost" 1 "$(verdict durable_log check "$LOG" "$LOGGED_SIZE")"
check "and said to be lost" grep -q '^entry .*: sector .* promised is' "$WORK/verdict"

written --fault unsynced
check "one that leaves out all: much was promised, $PROMISES times" enough "$PROMISES"
same "something is lost" 1 "$(verdict durable_log check "$LOG" "$LOGGED_SIZE")"
same "at each cut, as replays tell" 4 "$(lost_at_cuts)"

written --fua
check "one that does not honour FUA: much was promised, $PROMISES times" enough "$PROMISES"
same "something is lost" 1 "$(verdict durable_log check "$LOG" "$LOGGED_SIZE")"
note "$(grep -m 1 '^entry ' "$WORK/verdict")"

finish
