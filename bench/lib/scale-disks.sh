# SPDX-License-Identifier: GPL-2.0-only
# More and more disks share the load: as many requests altogether, but at least
# one for each. Every disk has a job of its own; a single one has two.
# shellcheck shell=bash

DEPTH=256

# How each of the series comes and goes; COUNT stands for the disks.
SERIES=("blktap null, one tapdisk" "blktap null, one each" "blktap brd, one tapdisk" "blktap brd, one each"
	"ublk null, one each" "ublk brd, one each")

# bring_up SERIES COUNT
bring_up() {
	local tapdisks=1
	[[ $1 != *"one each" ]] || tapdisks=$2
	case $1 in
	"blktap null"*) make_disks "$2" "$tapdisks" "null:$size" ;;
	"blktap brd"*) make_disks "$2" "$tapdisks" "aio:/dev/ram#" ;;
	"ublk "*) ublks_fit "$2" && make_ublks "$2" "$(cut -d ' ' -f 2 <<<"${1%,*}")" ;;
	esac
}

take_down() {
	case $1 in
	blktap*) drop_disks ;;
	ublk*) drop_ublks ;;
	esac
}

# run_series SERIES COUNT
run_series() {
	local jobs=$2 wall machine process ios lowest highest
	bring_up "$1" "$2" || return
	[ "$2" -gt 1 ] || jobs=2 disks+=("${disks[0]}")
	read_disks "$seconds" $((DEPTH / jobs)) "${disks[@]}" || return
	read -r wall machine process <"$work/spent"
	# Each job by its own time: they do not begin in the same instant.
	read -r ios lowest highest < <(results |
		jq -r '[.jobs[] | select(.jobname != "begin").read | .total_ios * 1000 / .runtime] | "\(add) \(min) \(max)"')
	figure "IOPS" "$1" "$2 disks" "$ios"
	figure "CPU, us per I/O" "$1" "$2 disks" "$(ratio "$machine" "$(ratio "$wall" 1000000) * $ios")"
	figure "CPU of the servers, us per I/O" "$1" "$2 disks" "$(ratio "$process" "$(ratio "$wall" 1000000) * $ios")"
	[ "$2" -gt 1 ] || return 0
	figure "Lowest share of a disk (1: even)" "$1" "$2 disks" "$(ratio "$lowest * $2" "$ios")"
	figure "Highest share of a disk (1: even)" "$1" "$2 disks" "$(ratio "$highest * $2" "$ios")"
}

scale() {
	local count round i series
	size=$((16 << 20))
	ram_disks "${counts[-1]}"
	for count in "${counts[@]}"; do
		for ((round = 0; round < rounds; round++)); do
			for ((i = 0; i < ${#SERIES[@]}; i++)); do
				series=${SERIES[(i + round) % ${#SERIES[@]}]}
				run_series "$series" "$count" || say failed "$series" "$count disks" "$reason"
				take_down "$series" || say failed "$series" "$count disks" "$reason"
			done
		done
	done
}
