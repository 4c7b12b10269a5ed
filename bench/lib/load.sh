# SPDX-License-Identifier: GPL-2.0-only
# One run of fio, and what it cost.
# shellcheck shell=bash

# load DEVICE PID OPERATION BLOCK DEPTH JOBS SECONDS: sets the array of that
# name: I/Os, their microseconds, the latencies (nanoseconds) that 50 and 99
# percent stay below, CPU microseconds of the machine, and those of the process.
# Returns 1 and sets reason if there is no figure.
load() {
	local device=$1 pid=$2 operation=$3 block=$4 depth=$5 jobs=$6 seconds=$7 stamp files
	alive || return
	rm -f "$work"/{pre,post,fio}
	files=(/proc/uptime /proc/stat)
	[ -z "$pid" ] || files+=("/proc/$pid/stat")
	# The jobs themselves take the time, next to their first and last I/O: the
	# start of fio costs as much as thousands of I/Os. A job adds its lines in
	# one write. fio appends a redirection of its own.
	stamp="grep -shE '^cpu |^[0-9]' ${files[*]} >>$work"
	if ! (cd "$work" && timeout -k 10 "$((seconds + 120))" fio --name=load --filename="$device" --size="$size" \
		--ioengine=libaio --direct=1 --rw="$operation" --bs="$block" --iodepth="$depth" --numjobs="$jobs" \
		--group_reporting --norandommap --time_based --runtime="$seconds" --allow_file_create=0 \
		--exec_prerun="$stamp/pre; :" --exec_postrun="$stamp/post; :" \
		--output="$work/fio" --output-format=json) 2>"$work/said"; then
		alive && missing "fio: $(said)"
		return 1
	fi
	alive || return
	read -ra load < <(figures | tr '\n' ' ')
	if [ "${#load[@]}" -ne 6 ] || [ "${load[0]}" -eq 0 ]; then
		missing "fio did no I/O"
	fi
}

# alive: the device of load(), and the process that serves it, are still there.
alive() {
	has_size "$device" || missing "$device is gone" || return
	[ -z "$pid" ] || [ -d "/proc/$pid" ] || missing "the server of $device is gone"
}

# figures: fio's four, with those of spent() after them. What fio says besides
# surrounds its JSON.
figures() {
	sed -n '/^{/,/^}/p' "$work/fio" | jq -r '.jobs[0] | [.read, .write] |
		(map(.total_ios) | add), (map(.runtime) | max * 1000),
		(max_by(.total_ios).clat_ns.percentile | .["50.000000"], .["99.000000"])'
	spent
}

# spent: CPU time of the machine and of the process between the first stamp
# before and the last one after. The machine's is what it did not idle, since
# the kernel counts idle time to the microsecond and the rest by ticks.
spent() {
	awk -v cpus="$(nproc)" '
		function note(key, value) {
			if (FILENAME ~ /post$/)
				last[key] = value
			else if (!(key in first))
				first[key] = value
		}
		{ sub(/\(.*\)/, "name") }
		NF == 2 { note("wall", $1) }
		$1 == "cpu" { note("idle", $5 + $6) }
		$2 == "name" { note("process", $14 + $15) }
		function during(key) { return last[key] - first[key] }
		END { printf "%d\n%d\n", during("wall") * 1e6 * cpus - during("idle") * 1e4, during("process") * 1e4 }
	' "$work/pre" "$work/post"
}
