# SPDX-License-Identifier: GPL-2.0-only
# One run of fio, and what it cost.
# shellcheck shell=bash

# load DEVICE PID OPERATION BLOCK DEPTH JOBS SECONDS: sets the array of that
# name: I/Os, their microseconds, the latencies (nanoseconds) that 50 and 99
# percent stay below, CPU microseconds of the machine, and those of the process.
# Returns 1 and sets reason if there is no figure.
load() {
	local device=$1 pid=$2 operation=$3 block=$4 depth=$5 jobs=$6 seconds=$7
	alive || return
	if ! run_fio "$pid" "$seconds" --name=load --filename="$device" --size="$size" --ioengine=libaio --direct=1 \
		--rw="$operation" --bs="$block" --iodepth="$depth" --numjobs="$jobs" --group_reporting --norandommap \
		--time_based --runtime="$seconds" --allow_file_create=0 --exec_prerun="$BEGIN"; then
		alive && missing "fio: $(said)"
		return 1
	fi
	alive || return
	read -ra load < <(figures | tr '\n' ' ')
	if [ "${#load[@]}" -ne 6 ] || [ "${load[0]}" -eq 0 ]; then
		missing "fio did no I/O"
	fi
}

# What one job has to run before it begins, which tells the sampler. fio
# appends a redirection of its own.
BEGIN="echo >>$work/begin && :"

# run_fio PIDS SECONDS OPTION...: leaves its results in $work/fio and what
# was spent meanwhile in $work/spent.
run_fio() {
	local pids=$1 seconds=$2 sampler
	shift 2
	rm -f "$work"/{begin,fio,spent}
	mkfifo "$work/begin"
	spent "$pids" "$seconds" >"$work/spent" &
	sampler=$!
	if ! (cd "$work" && timeout -k 10 "$((seconds + 120))" fio "$@" --output="$work/fio" --output-format=json) \
		2>"$work/said"; then
		stop "$sampler"
		return 1
	fi
	wait "$sampler"
}

# alive: the device of load(), and the process that serves it, are still there.
alive() {
	has_size "$device" || missing "$device is gone" || return
	[ -z "$pid" ] || [ -d "/proc/$pid" ] || missing "the server of $device is gone"
}

# results: fio's, without what it says besides.
results() {
	sed -n '/^{/,/^}/p' "$work/fio"
}

# figures: fio's four, then the CPU time of that many I/Os.
figures() {
	local own wall machine process
	mapfile -t own < <(results | jq -r '.jobs[0] | [.read, .write] |
		(map(.total_ios) | add), (map(.runtime) | max * 1000),
		(max_by(.total_ios).clat_ns.percentile | .["50.000000"], .["99.000000"])')
	read -r wall machine process <"$work/spent"
	printf '%s\n' "${own[@]}" $((machine * own[1] / wall)) $((process * own[1] / wall))
}

# spent PIDS SECONDS: waits until fio begins; then prints how many microseconds
# went by during most of its run, and the CPU time of the machine and of the
# processes in these. What fio does before and after its I/Os costs as much as
# thousands of them, so all of this is inside of its run, and starts no program.
spent() {
	local begin first last
	exec {begin}<>"$work/begin"
	read -r -u "$begin"
	stamp "$1" first
	# Nothing more comes but the word of other jobs: that is a way to sleep.
	while read -r -t 0.2 -u "$begin"; do :; done
	read -r -t "$(($2 - 1)).5" -u "$begin"
	stamp "$1" last
	echo $((last[0] - first[0])) $(((last[0] - first[0]) * $(nproc) - (last[1] - first[1]) * 10000)) \
		$(((last[2] - first[2]) * 10000))
}

# stamp PIDS ARRAY: the time in microseconds; the ticks that the machine idled and
# the processes ran until now. The kernel counts idle time exactly, the rest by
# ticks, so the machine's CPU time is what it did not idle.
stamp() {
	local -n into=$2
	local cpu pid process ran=0
	into=("${EPOCHREALTIME/[.,]/}")
	read -ra cpu </proc/stat
	for pid in $1; do
		read -r process <"/proc/$pid/stat"
		# The name in it may have spaces.
		read -ra process <<<"${process##*) }"
		ran=$((ran + process[11] + process[12]))
	done
	into+=($((cpu[4] + cpu[5])) "$ran")
}
