# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For every test: KTAP results, programs and the module, cleaning up, and two
# results that end each test: nothing is left behind, the kernel log is clean.
#
# A test sources this file, calls "setup PROGRAM...", makes its checks and ends
# with "finish". Exit status: 0 all passed, 1 a failure, 4 skipped.

set -u -o pipefail
export LC_ALL=C

HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
NAME=$(basename "$0" .sh)
PATH=$HERE:$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

NODES=/dev/xen/blktap-2
CONTROL=${BLKTAP_CONTROL_DIR:-/run/blktap-control}
WORK=/var/tmp/blktap-selftest.$$

# Kernel messages that are no fault of ours, and the test's own (log_expect).
LOG_HARMLESS='device-mapper: core: CONFIG_IMA|callbacks suppressed|loading out-of-tree module|module verification failed|clocksource:|perf: interrupt took|hrtimer: interrupt took|hogged CPU for|timestamps until 2038|TSC found unstable'
LOG_FATAL='BUG|WARNING:|Oops|KASAN|UBSAN|INFO: task .* blocked|rcu:.*stall|suspicious RCU|possible (recursive|circular)|inconsistent lock|kmemleak|general protection|Call Trace|ODEBUG|sleeping function|scheduling while atomic'
# Calls that a confined tapdisk was refused, where the kernel has audit.
LOG_DENIED='type=1326 '
LOG_EXPECTED=''
LOG_KEEPER=''

# A kernel that watches itself is that much slower: time limits are multiplied.
SLOWNESS=1
[ ! -e /sys/kernel/debug/kmemleak ] && [ ! -e /sys/kernel/debug/kcsan ] || SLOWNESS=4

ktap_count=0
ktap_failed=0
ktap_skipped=0
finished=''
declare -A JOBS=()

# ------------------------------------------------------------------- results

note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

pass() {
	printf 'ok %d %s\n' $((++ktap_count)) "$*"
}

fail() {
	ktap_failed=$((ktap_failed + 1))
	printf 'not ok %d %s\n' $((++ktap_count)) "$*"
}

skip() {
	ktap_skipped=$((ktap_skipped + 1))
	printf 'ok %d %s # SKIP %s\n' $((++ktap_count)) "$1" "$2"
}

skip_all() {
	finished=1
	echo "1..0 # SKIP $*"
	exit 4
}

# die TEXT: a step failed without which the test cannot go on.
die() {
	fail "$*"
	finish
}

# check TEXT COMMAND...: passes if the command does.
check() {
	local text=$1 status
	shift
	"$@" >"$WORK/check" 2>&1
	status=$?
	if [ $status -eq 0 ]; then
		pass "$text"
		return 0
	fi
	note "status $status: $*"
	note "$(tail -n 20 "$WORK/check")"
	fail "$text"
	return 1
}

# check_not TEXT COMMAND...: passes if the command fails, but is not killed.
check_not() {
	local text=$1 status
	shift
	"$@" >"$WORK/check" 2>&1
	status=$?
	if [ $status -gt 0 ] && [ $status -lt 124 ]; then
		pass "$text"
		return 0
	fi
	note "status $status: $*"
	note "$(tail -n 20 "$WORK/check")"
	fail "$text"
	return 1
}

# must COMMAND...: a check whose success is not a result of its own.
must() {
	local status
	"$@" >"$WORK/must" 2>&1
	status=$?
	[ $status -eq 0 ] && return
	note "$(tail -n 20 "$WORK/must")"
	die "status $status: $*"
}

# same TEXT EXPECTED GOT
same() {
	if [ "$2" = "$3" ]; then
		pass "$1"
		return 0
	fi
	note "expected:"
	note "$2"
	note "got:"
	note "$3"
	fail "$1"
	return 1
}

# refused TEXT STATUS PATTERN COMMAND...: exactly this exit status, nothing on
# standard output, and one line on standard error that has the pattern.
refused() {
	local text=$1 want=$2 pattern=$3 got
	shift 3
	"$@" >"$WORK/stdout" 2>"$WORK/stderr"
	got=$?
	if [ $got -eq "$want" ] && [ ! -s "$WORK/stdout" ] &&
		[ "$(wc -l <"$WORK/stderr")" -eq 1 ] && grep -Eqi -- "$pattern" "$WORK/stderr"; then
		pass "$text: status $want"
		return 0
	fi
	note "$*: status $got, expected $want and one line with '$pattern'"
	note "$(sed 's/^/stdout: /' "$WORK/stdout"; sed 's/^/stderr: /' "$WORK/stderr")"
	fail "$text: status $want"
	return 1
}

# adopt COMMAND...: the KTAP results of a program become this test's.
adopt() {
	local status plan count
	"$@" >"$WORK/adopt" 2>&1
	status=$?
	while IFS= read -r line; do
		case $line in
		'ok '*'# SKIP'*) line=${line#ok * }; skip "${line% # SKIP*}" "${line#*# SKIP }" ;;
		'ok '*) line=${line#ok }; pass "${line#* }" ;;
		'not ok '*) line=${line#not ok }; fail "${line#* }" ;;
		'KTAP version'* | 1..*) ;;
		*) note "${line#\# }" ;;
		esac
	done <"$WORK/adopt"
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$WORK/adopt")
	count=$(grep -Ec '^(not )?ok [0-9]' "$WORK/adopt")
	if [ "$status" -gt 1 ] || [ "$plan" != "$count" ]; then
		fail "$(basename "$1") ran to its end: status $status, plan '$plan', $count results"
	fi
}

# ------------------------------------------------------------------- waiting

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	local end=$((SECONDS + $1 * SLOWNESS))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# within SECONDS COMMAND...: a program's own time, which it does not need but where it hangs.
within() {
	local limit=$(($1 * SLOWNESS))
	shift
	timeout -k 5 "$limit" "$@"
}

# background COMMAND...: its output is in $WORK/job.PID, the PID in JOB. It does
# not inherit descriptor 8, by which tests keep disks open.
background() {
	local out
	# Opened here: the job may be slow to begin.
	exec {out}>"$WORK/job"
	"$@" >&"$out" 2>&1 </dev/null 8<&- {out}>&- &
	JOB=$!
	exec {out}>&-
	mv "$WORK/job" "$WORK/job.$JOB"
	JOBS[$JOB]=$*
}

# listen: to the driver's events, from now on; the job is MONITOR.
listen() {
	background nl_tool events
	MONITOR=$JOB
	wait_for 10 grep -q listening "$WORK/job.$MONITOR"
}

job_gone() {
	local state
	{ read -r _ _ state _ <"/proc/$1/stat"; } 2>/dev/null || return 0
	[[ $state == [ZX] ]]
}

# reap PID [SECONDS]: waits for a job, its exit status is REAPED; 1 if it hangs.
reap() {
	REAPED=hangs
	wait_for "${2:-30}" job_gone "$1" || return 1
	wait "$1"
	REAPED=$?
	unset "JOBS[$1]"
}

# ends TEXT STATUS PID [SECONDS]: the job ends with this status.
ends() {
	reap "$3" "${4:-30}"
	[ "$REAPED" = "$2" ] || note "$(tail -n 10 "$WORK/job.$3")"
	same "$1" "$2" "$REAPED"
}

# fails TEXT PID [SECONDS]: the job ends by itself, with a failure.
fails() {
	reap "$2" "${3:-30}"
	if [ "$REAPED" != hangs ] && [ "$REAPED" -gt 0 ] && [ "$REAPED" -lt 124 ]; then
		pass "$1"
	else
		note "status $REAPED"
		note "$(tail -n 10 "$WORK/job.$2")"
		fail "$1"
	fi
}

# load_over TEXT PID [JOBS]: tells fio to end, which must not have done so by itself. It has
# had no error, and of its JOBS, one if nothing else is said, each has written.
load_over() {
	local early='' hangs='' errors='' idle='' written
	! job_gone "$2" || early="it has ended by itself"
	kill -INT "$2"
	reap "$2" 60
	[ "$REAPED" != hangs ] || hangs="it hangs"
	errors=$(grep -iE 'verify.*fail|bad magic|error[=,: ]' "$WORK/job.$2")
	written=$(grep -cE '^ *write: .*\([1-9][0-9.]*[KMGT]?i?B/[0-9]+msec\)' "$WORK/job.$2")
	[ "$written" -ge "${3:-1}" ] || idle="only $written of its jobs have written"
	same "$1" "" "$early$hangs$errors$idle" && return
	note "$(tail -n 20 "$WORK/job.$2")"
	return 1
}

# -------------------------------------------------------------------- taps

# tapdisks: the PIDs of all that run. The words of stat are PID (NAME) STATE.
tapdisks() {
	local file pid name state
	for file in /proc/[0-9]*/stat; do
		{ read -r pid name state _ <"$file"; } 2>/dev/null || continue
		[ "$name" = "(tapdisk)" ] || continue
		[[ $state == [ZX] ]] || echo "$pid"
	done
}

# supervisors: the PIDs of all that run; and what may become of them.
supervisors() {
	local file words
	for file in /proc/[0-9]*/cmdline; do
		{ mapfile -d '' -t words <"$file"; } 2>/dev/null || continue
		[[ ${words[0]-} == *tap-ctl && ${words[1]-} == supervise ]] || continue
		file=${file%/cmdline}
		job_gone "${file#/proc/}" || echo "${file#/proc/}"
	done
}
supervisor_runs() { [ -n "$(supervisors)" ]; }
no_supervisor() { [ -z "$(supervisors)" ]; }
supervisor_ends() {
	supervisors | xargs -r kill -TERM
	wait_for 5 no_supervisor
}

no_tapdisk() {
	[ -z "$(tapdisks)" ]
}

control_sockets() {
	find "$CONTROL" -maxdepth 1 -name 'ctl*' 2>/dev/null
}

records() {
	find "$CONTROL" -maxdepth 1 -name 'tap*' 2>/dev/null
}

taps() {
	[ -d /sys/module/blktap ] || return 0
	nl_tool list | sed -n 's/^minor=\([0-9]*\).*/\1/p'
}

# tap_value MINOR KEY: from netlink; empty if it is not there.
tap_value() {
	nl_tool get "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"
}

pid_of() {
	tap-ctl list -m "$1" | sed -n 's/^pid=\([0-9]*\) .*/\1/p'
}

# image NAME SIZE: a sparse image in the work directory, its path in IMAGE.
image() {
	IMAGE=$WORK/$1
	must truncate -s "$2" "$IMAGE"
}

# create ARGUMENTS...: tap-ctl create; DISK, MINOR and PID of the result.
create() {
	DISK=$(tap-ctl create "$@") || die "tap-ctl create $*"
	MINOR=${DISK##*tapdev}
	PID=$(pid_of "$MINOR")
	[ -b "$DISK" ] || die "tap-ctl create $*: no block device '$DISK'"
	[ -n "$PID" ] || die "tap-ctl create $*: no tapdisk"
}

# create_in PID ARGUMENTS...: the same, step by step, in a tapdisk that runs.
create_in() {
	PID=$1
	DISK=$(tap-ctl allocate) || die "tap-ctl allocate"
	MINOR=${DISK##*tapdev}
	must tap-ctl attach -p "$PID" -m "$MINOR"
	must tap-ctl open -p "$PID" -m "$MINOR" "${@:2}"
	[ -b "$DISK" ] || die "tap-ctl open ${*:2}: no block device '$DISK'"
}

# rpc METHOD [PARAMETERS]: asks the tapdisk PID; prints its answer.
rpc() {
	local params=${2:-}
	ctl_client "$CONTROL/ctl$PID" ask "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\"${params:+,\"params\":$params}}"
}

# rpc_errno METHOD [PARAMETERS]: 0, or the errno of the answer.
rpc_errno() {
	rpc "$@" | jq -r '.error.data.errno // 0'
}

# state: of MINOR, as list has it.
state() {
	tap-ctl list -m "$MINOR" | sed -n 's/.* state=\([^ ]*\).*/\1/p'
}

# counts CONDITION: what the kernel tells of MINOR, in the words of jq.
counts() {
	tap-ctl info --json -m "$MINOR" | tee "$WORK/counts" | jq -e ".$1" >/dev/null && return
	jq -c 'with_entries(select(.key | test("ios|extents|files|rejected")))' "$WORK/counts"
	return 1
}

# moves MODE [N]: more than N requests (20) to MINOR were served as that mode has it, and by
# its session none in a better way. What "tap-ctl kernel-io" says does not tell: auto stays auto
# when there is no extent any more.
moves() {
	local n=${2:-20}
	case $1 in
	off) counts "ios_daemon > $n and .ios_redirect + .ios_extent == 0" ;;
	redirect) counts "ios_redirect > $n and .ios_extent == 0" ;;
	auto) counts "ios_extent > $n" ;;
	*) return 1 ;;
	esac
}

# image_fds FILE: how often the tapdisk PID has it open.
image_fds() {
	find "/proc/$PID/fd" -lname "$1" | wc -l
}

# waiting N: at least N requests to DISK are under way.
waiting() {
	[ "$(awk '{ print $1 + $2 }' "/sys/block/xen!blktap-2!tapdev$MINOR/inflight")" -ge "$1" ]
}

# held_up: no request to DISK ends for a second. Those that the driver holds do not
# count as under way.
held_up() {
	local stat="/sys/block/xen!blktap-2!tapdev$MINOR/stat" before
	before=$(awk '{ print $1 + $5 }' "$stat")
	sleep 1
	[ "$(awk '{ print $1 + $5 }' "$stat")" = "$before" ]
}

# blocked PID...: they wait for I/O.
blocked() {
	local pid state
	for pid; do
		{ read -r _ _ state _ <"/proc/$pid/stat"; } 2>/dev/null || return
		[ "$state" = D ] || return
	done
}

# With run.sh -m, disks have that mode of I/O by the kernel where a test names none; those
# that are about modes know what they want.
if [ -n "${BLKTAP_TEST_KERNEL_IO-}" ] && [[ $NAME != test_kio_* ]]; then
	tap-ctl() {
		if [[ ${1-} == @(create|open) && "$*" != *--kernel-io* ]]; then
			set -- "$@" --kernel-io="$BLKTAP_TEST_KERNEL_IO"
		fi
		command tap-ctl "$@"
	}
fi

# take_over [OPTION...]: a fresh tapdisk takes the place of PID, and is PID then.
take_over() {
	local new
	new=$(tap-ctl takeover -p "$PID" "$@") || return
	wait_for 10 job_gone "$PID" || { echo "tapdisk $PID is still there"; return 1; }
	PID=$new
}

destroy() {
	tap-ctl destroy -p "$PID" -m "$MINOR"
}

# slow_disk MILLISECONDS [SIZE]: $RAM with a delay for each I/O, its path in SLOW.
slow_disk() {
	local size=${2:-16M}
	ram_disk "$size" || return 1
	modprobe -q dm-delay && type -P dmsetup >/dev/null || return 1
	dmsetup create blktap-test --noudevsync --table "0 $((${size%M} << 11)) delay $RAM 0 $1" >/dev/null || return 1
	# The kernel's own node: those by name are udev's.
	SLOW=/dev/$(dmsetup info -c --noheadings -o blkdevname blktap-test)
	[ -b "$SLOW" ] || { slow_disk_gone; return 1; }
}

slow_disk_gone() {
	! dmsetup info blktap-test >/dev/null 2>&1 || dmsetup remove --noudevsync blktap-test
}

# ram_disk SIZE: a block device in memory, its path in RAM; with a size that is a
# multiple of 1M. It is the first of brd's, emptied, unless somebody uses them.
ram_disk() {
	modprobe -q -r brd
	modprobe -q brd rd_nr=1 rd_size=$((${1%M} << 10)) 2>/dev/null
	RAM=/dev/ram0
	[ -b "$RAM" ] && [ "$(blockdev --getsize64 "$RAM")" -ge $((${1%M} << 20)) ]
}

live() {
	grep -q '^live$' "$WORK/job.$SERVER"
}

# serve "TAP OPTIONS" OPTIONS...: ring_server on a new tap; DISK, MINOR, SERVER.
serve() {
	local words
	read -ra words <<<"$1"
	shift
	MINOR=$(nl_tool new "${words[@]}") || die "cannot allocate a tap"
	MINOR=${MINOR#minor=}
	MINOR=${MINOR%% *}
	DISK=$NODES/tapdev$MINOR
	serve_again "$@"
}

# serve_again OPTIONS...: ring_server on the tap that is there.
serve_again() {
	background ring_server "$@" "$MINOR"
	SERVER=$JOB
	if ! wait_for 20 live; then
		note "$(cat "$WORK/job.$SERVER")"
		die "ring_server $* does not serve"
	fi
}

stopped() {
	job_gone "$SERVER" || ! kill -TERM "$SERVER" || job_gone "$SERVER"
}

# unserve: stops the disk and frees the tap; the server's output is COUNTS.
unserve() {
	wait_for 20 stopped
	reap "$SERVER"
	COUNTS=$(cat "$WORK/job.$SERVER")
	[ "$REAPED" = 0 ] || die "ring_server ended with status $REAPED: $COUNTS"
	must nl_tool del "$MINOR"
}

# counted KEY: what ring_server counted.
counted() {
	tr ' ' '\n' <<<"$COUNTS" | sed -n "s/^$1=//p" | tail -n 1
}

# iops SECONDS [FIO OPTION...]: of random reads from DISK.
iops() {
	fio --name=iops --filename="$DISK" --rw=randread --bs=4k --direct=1 --ioengine=libaio --iodepth=8 \
		--time_based --runtime="$1" --output-format=json "${@:2}" | jq '.jobs[0].read.iops | floor'
}

# hanging OPTIONS... FILE: a file system in $WORK/fuse that can stop answering,
# see fuse_hang.c; its process is HANG.
hanging() {
	modprobe -q fuse
	mkdir -p "$WORK/fuse"
	background fuse_hang "${@:1:$#-1}" "$WORK/fuse" "${@:$#}"
	HANG=$JOB
	wait_for 10 grep -qx ready "$WORK/job.$HANG" && return
	note "$(cat "$WORK/job.$HANG")"
	die "fuse_hang does not serve"
}

# held OPERATION N: at least N of them have not been answered.
held() {
	[ "$(grep -cx "held $1" "$WORK/job.$HANG")" -ge "$2" ]
}

# hang, answer: from now on.
hang() { kill -USR1 "$HANG"; }
answer() { kill -USR2 "$HANG"; }

# let_go: the hanging file system goes away; whoever waits gets an error.
let_go() {
	kill -TERM "$HANG"
	ends "the hanging file system goes away" 0 "$HANG"
}

# on_a_terminal COMMAND: its output as on a terminal.
on_a_terminal() {
	script -qec "$1" /dev/null </dev/null | tr -d '\r'
}

# ------------------------------------------------------- the end of each test

mounts_of_taps() {
	awk '$1 ~ "^/dev/xen/blktap-2/" { print $2 }' /proc/mounts
}

# mapped: the tests' devices of device-mapper.
mapped() {
	! type -P dmsetup >/dev/null || [ ! -d /sys/module/dm_mod ] ||
		dmsetup ls 2>/dev/null | awk '/^blktap-/ { print $1 }'
}

leftovers() {
	local minor pid file name
	for pid in "${!JOBS[@]}"; do
		echo "job $pid: ${JOBS[$pid]}"
	done
	mounts_of_taps | sed 's/^/mounted: /'
	for minor in $(taps); do
		echo "tap $minor"
	done
	for pid in $(tapdisks); do
		echo "tapdisk $pid"
	done
	for pid in $(supervisors); do
		echo "supervisor $pid"
	done
	for file in $(control_sockets); do
		echo "socket $file"
	done
	for file in $(records); do
		echo "record $file"
	done
	for name in $(mapped); do
		echo "device-mapper $name"
	done
}

nothing_left() {
	[ -z "$(leftovers)" ]
}

sweep_taps() {
	local minor pid
	for minor in $(taps); do
		pid=$(tap_value "$minor" pid)
		[ -z "$pid" ] || kill -KILL "$pid"
		wait_for 5 nl_tool del "$minor" || nl_tool free "$minor" force
	done
}

# Whatever is left goes away, so that the next test starts afresh.
sweep() {
	local pid dir name
	for name in $(mapped); do
		dmsetup resume --noudevsync "$name"
	done
	for pid in "${!JOBS[@]}"; do
		kill -KILL "$pid"
		reap "$pid" 10
	done
	awk -v work="$WORK/" 'index($2, work) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r -n 1 umount -l
	for dir in $(mounts_of_taps | sort -r); do
		umount "$dir" || umount -l "$dir"
	done
	for pid in $(supervisors) $(tapdisks); do
		kill -KILL "$pid"
	done
	sweep_taps
	{ control_sockets; records; } | xargs -r rm -f
	for name in $(mapped); do
		dmsetup remove --noudevsync "$name"
	done
} 2>/dev/null

log_expect() {
	LOG_EXPECTED=${LOG_EXPECTED:+$LOG_EXPECTED|}$1
}

# log_expect_errors: what the block layer says of requests that fail.
log_expect_errors() {
	log_expect 'error,? (on )?dev(ice)? xen/blktap-2|unable to read (partition table|RDB block)'
}

# log_mark: from here on the kernel log is ours.
log_mark() {
	LOG_MARK="blktap selftest $NAME $$ $SECONDS"
	echo "<14>$LOG_MARK" >/dev/kmsg
}

# log_keep: for a test that has the kernel say more than its buffer holds.
log_keep() {
	dmesg -rw >"$WORK/kernel.log" 2>/dev/null 8<&- &
	LOG_KEEPER=$!
	disown
}

log_lines() {
	[ -n "$LOG_KEEPER" ] || { dmesg -r; return; }
	echo "<14>$LOG_MARK: end" >/dev/kmsg
	wait_for 10 grep -q "$LOG_MARK: end" "$WORK/kernel.log"
	kill "$LOG_KEEPER"
	cat "$WORK/kernel.log"
}

# own_races: the log without KCSAN's reports of data races where no function of the driver
# made the access: every kernel has many of them. What others say meanwhile stays.
own_races() {
	awk -v fatal="$LOG_FATAL" '
		function end(i) {
			for (i = 1; i <= n; i++)
				if (own || (i > 1 && lines[i] ~ fatal))
					print lines[i]
			n = 0
		}
		/^<[0-9]+>\[ *[0-9.]+\] =+$/ { end(); next }
		/BUG: KCSAN: / { end(); own = /\[blktap\]/; lines[n = 1] = $0; next }
		n { lines[++n] = $0; next }
		{ print }
		END { end() }'
}

# Kernel messages since the mark of level warning or worse, or worse by words.
log_bad() {
	log_lines | own_races | awk -v mark="$LOG_MARK" -v fatal="$LOG_FATAL" \
		-v harmless="$LOG_HARMLESS" -v expected="$LOG_EXPECTED" -v denied="$LOG_DENIED" '
		index($0, mark) { seen = 1; next }
		!seen || !match($0, /^<[0-9]+>/) { next }
		{ n = substr($0, 2, RLENGTH - 2) + 0 }
		n >= 8 { next }
		$0 ~ fatal { print; next }
		$0 ~ denied && (expected == "" || $0 !~ expected) { print; next }
		n > 4 || $0 ~ harmless || (expected != "" && $0 ~ expected) { next }
		{ print }
		END { if (!seen) print "the mark of the test has left the log" }'
}

# leaks: a look takes many seconds, so that run.sh looks when all tests are done.
leaks() {
	local file=/sys/kernel/debug/kmemleak
	[ -w $file ] && [ -z "${BLKTAP_TEST_LEAKS_LATER-}" ] || return 0
	echo scan >$file
	grep -q . $file || return 0
	cat $file
	echo clear >$file
}

log_result() {
	local bad
	bad=$(leaks; log_bad)
	[ -z "$bad" ] || note "$bad"
	same "the kernel log is clean" "" "${bad:+not clean}"
}

leftover_result() {
	wait_for 5 nothing_left && pass "nothing is left behind" && return
	note "$(leftovers)"
	fail "nothing is left behind"
}

finish() {
	finished=1
	leftover_result
	sweep
	log_result
	rm -rf "$WORK"
	echo "1..$ktap_count"
	[ $ktap_failed -eq 0 ] || exit 1
	[ $ktap_skipped -lt $((ktap_count - 2)) ] || exit 4
	exit 0
}

ended_early() {
	[ -z "$finished" ] || return
	fail "the test ran to its end"
	finish
}

# setup PROGRAM...: what every test needs, and these programs.
setup() {
	local program
	echo "KTAP version 1"
	[ "$(id -u)" -eq 0 ] || skip_all "needs root"
	for program in dmesg nl_tool "$@"; do
		type -P "$program" >/dev/null || skip_all "needs $program"
	done
	[ -d /sys/module/blktap ] || modprobe -q blktap || skip_all "needs the module blktap"
	[ -z "$(taps)$(tapdisks)" ] || {
		finished=1
		fail "no tap or tapdisk is there at the start: not touching it"
		echo "1..1"
		exit 1
	}
	mkdir -p "$WORK"
	trap ended_early EXIT
	trap 'exit 1' INT TERM HUP
	log_mark
}
