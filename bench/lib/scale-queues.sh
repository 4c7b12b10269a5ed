# SPDX-License-Identifier: GPL-2.0-only
# One disk: more jobs, more queues; ublk in copy mode in turns with ours.
# shellcheck shell=bash

# All is up before anything is measured.
bring_up() {
	local kind behind
	for queues in 1 2 4; do
		[ "$queues" -le "$(nproc)" ] || continue
		for kind in blktap_null "ublk_null copy" blktap_brd "ublk_brd copy"; do
			series="${kind/_/ }, queues: $queues"
			# shellcheck disable=SC2086 # a function and its argument
			if start "$series" start_$kind; then
				up+=("$series")
				device_of[$series]=$device
				pid_of[$series]=$pid
			else
				say missing "$series" "$reason"
			fi
		done
	done
}

scale() {
	local -A device_of=() pid_of=()
	local up=() series round jobs i
	size=$((64 << 20))
	bring_up
	for ((round = 0; round < rounds; round++)); do
		for jobs in "${counts[@]}"; do
			for ((i = 0; i < ${#up[@]}; i++)); do
				series=${up[(i + round) % ${#up[@]}]}
				load "${device_of[$series]}" "${pid_of[$series]}" randread 4k 32 "$jobs" "$seconds" ||
					{ say failed "$series" "$jobs jobs" "$reason"; continue; }
				figure "IOPS" "$series" "$jobs jobs" $((load[0] * 1000000 / load[1]))
				figure "CPU, us per I/O" "$series" "$jobs jobs" "$(ratio "${load[4]}" "${load[0]}")"
				figure "CPU of the server, us per I/O" "$series" "$jobs jobs" "$(ratio "${load[5]}" "${load[0]}")"
			done
		done
	done
}
