#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tapdisk's modest threads get their share: beside processes that never sleep, as
# much as threads that are not modest, and beside a busy disk of the same tapdisk,
# as much as with a tapdisk of their own.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl fio jq chrt taskset

IMAGE_SIZE=32M
ROUNDS=3
LAST_CPU=$(($(nproc) - 1))

# reads: how many random reads of DISK are done in two seconds, one at a time. The
# reader is on the first processor, those who serve it are on the last.
reads() {
	taskset -c 0 fio --name=fair --filename="$DISK" --rw=randread --bs=4k --direct=1 --ioengine=psync \
		--time_based --runtime=2 --output-format=json | jq '.jobs[0].read.total_ios'
}

# A process that never sleeps, for each processor.
hogs=()
start_hogs() {
	local i
	for ((i = 0; i < $(nproc); i++)); do
		background bash -c 'trap "exit 0" TERM; while :; do :; done'
		hogs+=("$JOB")
	done
}
end_hogs() {
	local hog
	for hog in "${hogs[@]}"; do
		kill -TERM "$hog"
		ends "a busy process ends" 0 "$hog"
	done
}

# insist PID: all its threads are SCHED_OTHER, whatever they say, while there is a file.
insist() {
	local thread
	while [ -e "$WORK/insist" ]; do
		for thread in "/proc/$1/task"/*; do
			chrt -o -p 0 "${thread##*/}"
		done
		sleep 0.05
	done
}

# keep_busy DISK: 32 reads at a time, while there is a file.
keep_busy() {
	while [ -e "$WORK/busy" ]; do
		fio --name=busy --filename="$1" --rw=randread --bs=4k --direct=1 --ioengine=libaio \
			--iodepth=32 --time_based --runtime=10 || return 1
	done
}

# not_less TEXT MANY CONTROL PARTS: not less than that part of the control.
not_less() {
	note "$1: $2, the control $3"
	check "$1" test $(($2 * $4)) -ge "$3"
}

create -a "ram:$IMAGE_SIZE"
one=$DISK one_pid=$PID one_minor=$MINOR
create -a "ram:$IMAGE_SIZE"
other=$DISK other_pid=$PID other_minor=$MINOR

must taskset -a -p -c "$LAST_CPU" "$one_pid"
must taskset -a -p -c "$LAST_CPU" "$other_pid"
start_hogs
touch "$WORK/insist"
background insist "$other_pid"
insister=$JOB
many=0 control=0
for ((round = 0; round < ROUNDS; round++)); do
	DISK=$one
	many=$((many + $(reads)))
	DISK=$other
	control=$((control + $(reads)))
done
end_hogs
rm "$WORK/insist"
ends "nobody insists any more" 0 "$insister"
not_less "busy processes do not starve a disk" "$many" "$control" 3

# A third disk, in the tapdisk of the first, and all processors for all.
third=$(tap-ctl allocate) || die "allocate"
third_minor=${third##*tapdev}
must tap-ctl attach -p "$one_pid" -m "$third_minor"
must tap-ctl open -p "$one_pid" -m "$third_minor" -a "ram:$IMAGE_SIZE"
must taskset -a -p -c "0-$LAST_CPU" "$one_pid"
must taskset -a -p -c "0-$LAST_CPU" "$other_pid"
touch "$WORK/busy"
background keep_busy "$third"
busy=$JOB
many=0 control=0
for ((round = 0; round < ROUNDS; round++)); do
	DISK=$one
	many=$((many + $(reads)))
	DISK=$other
	control=$((control + $(reads)))
done
rm "$WORK/busy"
ends "the load ends" 0 "$busy" 60
not_less "a busy disk does not starve another of its tapdisk" "$many" "$control" 2

check "destroy" tap-ctl destroy -p "$other_pid" -m "$other_minor"
check "destroy" tap-ctl destroy -p "$one_pid" -m "$third_minor"
check "destroy" tap-ctl destroy -p "$one_pid" -m "$one_minor"

finish
