# SPDX-License-Identifier: GPL-2.0-only
# How long it takes to add one more disk, to list all, and to take it away, by
# the library and by the command.
# shellcheck shell=bash

# timed AT OPERATION COMMAND...
timed() {
	local at=$1 operation=$2 begin=${EPOCHREALTIME/[.,]/}
	shift 2
	attempt "$@" >"$work/answer" || missing "$* : $(said)" || return
	figure "tap-ctl, ms" "$operation" "$at" "$(ratio $((${EPOCHREALTIME/[.,]/} - begin)) 1000)"
}

# commands AT PID IMAGE
commands() {
	local minor
	timed "$1" allocate tap-ctl allocate || return
	minor=$(sed 's/.*tapdev//' "$work/answer")
	timed "$1" attach tap-ctl attach -p "$2" -m "$minor" &&
		timed "$1" open tap-ctl open -p "$2" -m "$minor" -a "$3" &&
		timed "$1" list tap-ctl list &&
		timed "$1" close tap-ctl close -p "$2" -m "$minor" &&
		timed "$1" detach tap-ctl detach -p "$2" -m "$minor" &&
		timed "$1" free tap-ctl free -m "$minor"
}

# calls AT PID IMAGE
calls() {
	local operation usec
	attempt "$tools/disks" time "$rounds" "$2" "$3" >"$work/answer" || missing "$(said)" || return
	while read -r operation usec; do
		figure "libblktap, ms" "$operation" "$1" "$(ratio "$usec" 1000)"
	done <"$work/answer"
}

# one_size COUNT TAPDISKS
one_size() {
	local at="$1 in $2" image="aio:/dev/ram${counts[-1]}" begin=${EPOCHREALTIME/[.,]/} round
	make_disks "$1" "$2" "aio:/dev/ram#" || return
	figure "All of them, ms per disk" make "$at" "$(ratio $((${EPOCHREALTIME/[.,]/} - begin)) "$1 * 1000")"
	calls "$at" "${pids[0]}" "$image" || return
	for ((round = 0; round < rounds; round++)); do
		commands "$at" "${pids[0]}" "$image" || return
	done
	begin=${EPOCHREALTIME/[.,]/}
	drop_disks || return
	figure "All of them, ms per disk" "drop, 8 at a time" "$at" "$(ratio $((${EPOCHREALTIME/[.,]/} - begin)) "$1 * 1000")"
}

scale() {
	local count tapdisks
	size=$((16 << 20))
	# One more than there are disks.
	ram_disks $((counts[-1] + 1))
	module blktap
	for count in "${counts[@]}"; do
		for tapdisks in $(spreads "$count"); do
			one_size "$count" "$tapdisks" || say failed "$count in $tapdisks" operations "$reason"
		done
	done
}
