# SPDX-License-Identifier: GPL-2.0-only
# What disks cost in memory: when nobody uses them, right after all of them have
# been read from, and 20 s later.
#
# "All" is what MemAvailable and the free pages that each CPU keeps are less than
# before the disks: kernel, daemons, buffers. The words of /proc/meminfo and the
# module's buffers_kib are parts of it. What of the daemons is anonymous is theirs
# alone; Pss has programs, rings and buffers, too.
# shellcheck shell=bash

IDLE_AGAIN=20
# Turns of each disk, on each CPU.
TURNS=4
# At most what is read altogether: with too much, the first disks are idle again
# before the last are busy. For a thousand disks it is too much already, in emulation.
MAX_KIB=$((4 << 20))

# Of /proc/meminfo, differences. VmallocUsed contains KernelStack. Requests of the
# block layer, buffers and their reserves are in none of them.
KERNEL=(Slab KernelStack PageTables VmallocUsed Percpu)
DAEMON=(Pss Anonymous)

# snapshot ARRAY: KiB by name, of the machine, the module and the processes in pids.
snapshot() {
	local -n into=$1
	local name value pid
	sync
	echo 3 >/proc/sys/vm/drop_caches
	while read -r name value _; do
		into[${name%:}]=$value
	done </proc/meminfo
	into[free]=$((into[MemAvailable] + $(awk '$1 == "count:" { sum += $2 } END { print sum * 4 }' /proc/zoneinfo)))
	into[buffers_kib]=$(cat /sys/module/blktap/parameters/buffers_kib 2>/dev/null || echo 0)
	for name in "${DAEMON[@]}"; do
		into["$name"]=0
	done
	for pid in "${pids[@]}"; do
		while read -r name value _; do
			[[ " ${DAEMON[*]/%/:} " != *" $name "* ]] || into[${name%:}]=$((into[${name%:}] + value))
		done <"/proc/$pid/smaps_rollup"
	done
}

# say_memory WHEN AT COUNT
say_memory() {
	local -A now=()
	local name
	snapshot now
	figure "$1, KiB per disk" "all" "$2" "$(ratio "${before[free]} - ${now[free]}" "$3")"
	for name in "${KERNEL[@]}"; do
		figure "$1, KiB per disk" "$name" "$2" "$(ratio "${now[$name]} - ${before[$name]}" "$3")"
	done
	figure "$1, KiB per disk" "buffers_kib" "$2" "$(ratio "${now[buffers_kib]}" "$3")"
	for name in "${DAEMON[@]}"; do
		figure "$1, KiB per disk" "daemon: $name" "$2" "$(ratio "${now[$name]}" "$3")"
	done
}

# busy KIB DEPTH AT COUNT: reads of so many KiB.
busy() {
	[ $(($1 * $2 * $4 * TURNS * $(nproc))) -le "$MAX_KIB" ] || return 0
	attempt "$tools/read-disks" "$1" "$2" "$TURNS" "${disks[@]}" || missing "$(said)" || return
	say_memory "Reads of $1 KiB at depth $2" "$3" "$4"
	sleep "$IDLE_AGAIN"
	say_memory "$IDLE_AGAIN s after reads of $1 KiB" "$3" "$4"
}

# one_size AT COUNT MAKE DROP ARGS...
one_size() {
	local at=$1 count=$2 make=$3 drop=$4
	local -A before=()
	shift 4
	pids=()
	snapshot before
	if ! "$make" "$count" "$@"; then
		say failed "$at" memory "$reason"
	else
		sleep 2
		say_memory Idle "$at" "$count"
		if ! busy 4 32 "$at" "$count" || ! busy 1024 8 "$at" "$count"; then
			say failed "$at" memory "$reason"
		fi
	fi
	"$drop" || say failed "$at" memory "$reason"
	sleep 2
}

scale() {
	local count tapdisks round
	size=$((16 << 20))
	ram_disks "${counts[-1]}"
	module blktap
	for ((round = 0; round < rounds; round++)); do
		for count in "${counts[@]}"; do
			for tapdisks in $(spreads "$count"); do
				one_size "$count in $tapdisks" "$count" make_disks drop_disks "$tapdisks" "aio:/dev/ram#"
			done
		done
		for count in 1 8; do
			! ublks_fit "$count" || one_size "ublk, $count" "$count" make_ublks drop_ublks brd
		done
	done
}
