# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests of bad storage below: a tapdisk that serves several disks and whose log can be
# read, and storage that does what it is told. Sourced after common.sh.

MODES=(off redirect auto)
declare -A disk_of minor_of

# one_tapdisk: PID, with its log in LOG.
one_tapdisk() {
	local other program
	other=$(tap-ctl spawn) || die "spawn"
	program=$(readlink "/proc/$other/exe")
	kill -TERM "$other"
	background "$program" -D
	PID=$JOB LOG=$WORK/job.$JOB
	wait_for 10 test -S "$CONTROL/ctl$PID" || die "the tapdisk does not listen"
	wait_for 10 job_gone "$other" || die "the other tapdisk does not leave"
}

# open_disk NAME ARGUMENTS...: a further disk of the tapdisk, in disk_of and minor_of by NAME.
open_disk() {
	local name=$1
	DISK=$(tap-ctl allocate) || die "allocate"
	MINOR=${DISK##*tapdev}
	must tap-ctl attach -p "$PID" -m "$MINOR"
	must tap-ctl open -p "$PID" -m "$MINOR" "${@:2}"
	disk_of[$name]=$DISK minor_of[$name]=$MINOR
}

# choose NAME: the DISK and MINOR that what follows is about.
choose() {
	DISK=${disk_of[$1]} MINOR=${minor_of[$1]}
}

# close_all: each disk goes, and with the last one the tapdisk; nobody listens any more.
close_all() {
	local name
	for name in "${!disk_of[@]}"; do
		check "$name: destroy" tap-ctl destroy -p "$PID" -m "${minor_of[$name]}"
	done
	ends "the tapdisk leaves by itself" 0 "$PID"
	[ -n "${WATCHER-}" ] || return 0
	kill "$WATCHER"
	ends "tap-ctl monitor, too" 0 "$WATCHER"
	unset WATCHER
}

# monitor: what the kernel tells from now on is in EVENTS. It says nothing before the
# first event.
monitor() {
	background "$(type -P tap-ctl)" monitor
	WATCHER=$JOB EVENTS=$WORK/job.$JOB
	wait_for 10 monitored || die "tap-ctl monitor does not listen"
}
monitored() { tap-ctl allocate -m 4999 && tap-ctl free -m 4999 && [ -s "$EVENTS" ]; }

# events PATTERN: those of MINOR since it was allocated, with what goes with them.
events() {
	awk -v minor="minor=$MINOR" -v pattern=" event=$1" '
		$4 != minor { next }
		$3 == "event=allocated" { found = "" }
		$0 ~ pattern { found = found $0 "\n" }
		END { printf "%s", found }' "$EVENTS"
}
told() { [ -n "$(events "$1")" ]; }

# told_of_failure MODE REQUEST: the event of the first request that fails, and in auto of the
# extent it was served from.
told_of_failure() {
	check "$1: an event tells of the failure" wait_for 5 told "io-error .*$2 error=Input/output error"
	if [ "$1" = auto ]; then
		check "auto: one tells that there is an extent less" told "extent-dropped .*error=Input/output error"
	else
		same "$1: none tells of an extent" "" "$(events extent-dropped)"
	fi
}

# told_nothing NAME: of errors of that disk.
told_nothing() {
	choose "$1"
	check "the events are of this minor, too" told disk-added
	same "$1: none tells of an error" "" "$(events '(io-error|extent-dropped)')"
}

# outcome_of COMMAND...: what it says of an error, or "done".
outcome_of() {
	local text
	if text=$(within 60 "$@" 2>&1); then
		echo "done"
	else
		head -n 1 <<<"$text" | sed 's/.*: //'
	fi
}
outcome() { outcome_of dd status=none "$@"; }

# write_at and read_at BLOCK [COUNT]: 4 KiB blocks of $WORK/bytes to, and to $WORK/read from,
# that place; past the page cache.
write_at() { outcome if="$WORK/bytes" of="$DISK" bs=4k count="${2:-1}" seek="$1" oflag=direct; }
read_at() { outcome if="$DISK" of="$WORK/read" bs=4k count="${2:-1}" skip="$1" iflag=direct; }

# is_right [BLOCKS]: what was read is what was written.
is_right() { cmp -n $((4096 * ${1:-1})) "$WORK/bytes" "$WORK/read"; }

# logged PATTERN: the tapdisk's log has it.
logged() { grep -Eq -- "$1" "$LOG"; }

# table NAME TARGET...: a device-mapper device is this from now on.
table() {
	dmsetup suspend --noflush --nolockfs "$1" && dmsetup load "$1" --table "0 $SECTORS ${*:2}" &&
		dmsetup resume --noudevsync "$1"
}

# milliseconds COMMAND...: how long it takes, in TOOK; its status is the command's.
milliseconds() {
	local begin status
	begin=$(date +%s%N)
	"$@"
	status=$?
	TOOK=$((($(date +%s%N) - begin) / 1000000))
	return $status
}
