# SPDX-License-Identifier: GPL-2.0-only
# Many disks, and one run of fio that reads from all of them.
# shellcheck shell=bash

# make_disks COUNT TAPDISKS IMAGE [FIRST]: sets disks, their paths, and pids, one
# for each tapdisk. A # in IMAGE becomes the number of the disk, from FIRST on.
make_disks() {
	disks=() pids=()
	attempt "$tools/disks" make "$1" "$2" "$queues" "$3" "${4:-0}" >"$work/disks" || missing "$1 disks: $(said)" || return
	mapfile -t disks < <(cut -d ' ' -f 1 "$work/disks")
	mapfile -t pids < <(cut -d ' ' -f 2 "$work/disks" | sort -u)
}

# make_ublks COUNT TARGET [FIRST]: the same with ublk in copy mode, which has a
# server for each disk. TARGET is null, or brd: RAM disks from FIRST on.
make_ublks() {
	local i device pid args
	disks=() pids=()
	for ((i = 0; i < $1; i++)); do
		args=(null)
		[ "$2" = null ] || args=(loop "/dev/ram$((${3:-0} + i))")
		start_ublk copy "${args[@]}" || return
		disks+=("$device")
		pids+=("$pid")
	done
}

# drop_disks: all of them.
drop_disks() {
	attempt "$tools/disks" drop || missing "$(said)"
}

drop_ublks() {
	attempt "$servers/kublk" del -a >/dev/null || missing "$(said)" || return
	wait
}

# ram_disks COUNT: of 16 MiB, empty; each takes memory where it is written only.
ram_disks() {
	module brd "rd_nr=$1" rd_size=16384
}

# spreads COUNT: over how many tapdisks so many disks are spread.
spreads() {
	if [ "$1" -eq 1 ]; then
		echo 1
	elif [ "$1" -le 256 ]; then
		echo "1 $(($1 < 20 ? $1 : 20))"
	else
		echo 20
	fi
}

# read_disks SECONDS DEPTH DISK...: 4 KiB random reads, by a job of fio for each
# disk. Who tells that it begins is late for its own work, and would have its disk
# to itself at the end: that job, "begin", has none.
read_disks() {
	local seconds=$1 depth=$2 disk
	shift 2
	cat >"$work/jobs" <<-END
		[global]
		size=$size
		ioengine=libaio
		direct=1
		rw=randread
		bs=4k
		norandommap
		time_based
		runtime=$seconds
		iodepth=$depth
		allow_file_create=0
		thread
	END
	for disk; do
		printf '[%s]\nfilename=%s\n' "${disk##*/}" "$disk"
	done >>"$work/jobs"
	printf '[begin]\nioengine=null\nrate_iops=1\nexec_prerun=%s\n' "$BEGIN" >>"$work/jobs"
	run_fio "${pids[*]}" "$seconds" "$work/jobs" || missing "fio: $(said)"
}
