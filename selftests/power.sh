# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For tests of power cuts: a disk below whose writes are logged, and what a cut leaves of
# it. Sourced after common.sh. With BLKTAP_TEST_LONG=1 more is written, and cut more often.

POWER_SECONDS=2 POWER_CUTS=8
[ -z "${BLKTAP_TEST_LONG-}" ] || POWER_SECONDS=10 POWER_CUTS=25

LOGGED_NAME=blktap-log
LOGGED=/dev/mapper/$LOGGED_NAME
LOG=/dev/ram1

# power_setup: where replayed disks are, in memory.
power_setup() {
	local module
	for module in brd loop dm-log-writes; do
		modprobe -q "$module" || [ -d "/sys/module/${module//-/_}" ] || skip_all "needs $module"
	done
	mkdir "$WORK/cut" "$WORK/mnt" "$WORK/inner"
	must mount -t tmpfs tmpfs "$WORK/cut"
	trap 'logged_disk_gone; modprobe -q -r brd; ended_early' EXIT
}

# logged_disk SIZE: a disk of zeroes, LOGGED, each of whose writes is in the log.
logged_disk() {
	LOGGED_SIZE=$((${1%M} << 20))
	must modprobe -r brd
	must modprobe brd rd_nr=2 rd_size=524288
	must dmsetup create "$LOGGED_NAME" --noudevsync \
		--table "0 $((LOGGED_SIZE / 512)) log-writes /dev/ram0 $LOG"
	must dmsetup mknodes "$LOGGED_NAME"
}

# logged_disk_gone: the log is complete then.
logged_disk_gone() {
	! dmsetup info "$LOGGED_NAME" >/dev/null 2>&1 || dmsetup remove --noudevsync "$LOGGED_NAME"
}

# mark TEXT: in the log.
mark() {
	dmsetup message "$LOGGED_NAME" 0 mark "$1"
}

# small_ext4 DEVICE: a file system that writes little about itself.
small_ext4() {
	mkfs.ext4 -q -b 4096 -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 "$1"
}

# mount_logged DEVICE DIRECTORY: with no FLUSH of its own beside those of durable_write.
mount_logged() {
	mount -o commit=300 "$1" "$2"
}

# after_a_cut CUT SEED COMMAND...: the command with the disk as a cut leaves it, mounted
# in $WORK/mnt, and what was promised in $WORK/promises. The file system is sound then.
after_a_cut() {
	local image=$WORK/cut/image status=0
	rm -f "$image"
	truncate -s "$LOGGED_SIZE" "$image" || return
	durable_log replay "$LOG" "$1" "$2" "$image" >"$WORK/promises" || return
	mount -o loop "$image" "$WORK/mnt" || return
	"${@:3}" || status=1
	umount "$WORK/mnt" || return
	e2fsck -fn "$image" || status=1
	return $status
}

# kept FILE|DIRECTORY KIND: the promises of that kind, r or f.
kept() {
	sed -n "/^$2:/p" "$WORK/promises" | durable_log verify "$1"
}

# survives TEXT COMMAND...: as after_a_cut, at many places of the log; every second time
# with some of what was under way.
survives() {
	local text=$1 cuts=() seed=$RANDOM i under_way bad=0
	shift
	mapfile -t cuts < <(durable_log cuts "$LOG" "$POWER_CUTS" "$seed")
	for i in "${!cuts[@]}"; do
		under_way=$((i % 2 ? seed + i + 1 : 0))
		after_a_cut "${cuts[i]}" $under_way "$@" >"$WORK/survives" 2>&1 && continue
		bad=$((bad + 1))
		note "cut ${cuts[i]}, seed $under_way:"
		note "$(tail -n 12 "$WORK/survives")"
	done
	same "$text: $POWER_CUTS cuts" "$POWER_CUTS good 0 bad" "$((${#cuts[@]} - bad)) good $bad bad"
}

# enough PROMISES: so many of them for the test to mean something.
enough() {
	[ "${1:-0}" -ge 20 ]
}

# file_system DISK: one in $WORK/inner, with a file to be written over and a place for new ones.
file_system() {
	must small_ext4 "$1"
	must mount_logged "$1" "$WORK/inner"
	must dd if=/dev/zero of="$WORK/inner/ranges" bs=64k count=20
	must mkdir "$WORK/inner/files"
	must sync -f "$WORK/inner"
}

# work_in_it TEXT: both at a time; then it is unmounted.
work_in_it() {
	local ranges files
	must mark start
	background durable_write -t "$POWER_SECONDS" "$LOGGED_NAME" "$WORK/inner/ranges"
	ranges=$JOB
	files=$(durable_write -t "$POWER_SECONDS" "$LOGGED_NAME" "$WORK/inner/files")
	reap "$ranges"
	check "$1: ranges and files were promised, $(cat "$WORK/job.$ranges") and $files times" \
		enough $((files < $(cat "$WORK/job.$ranges") ? files : $(cat "$WORK/job.$ranges")))
	must umount "$WORK/inner"
}

# all_kept DIRECTORY: where the file system is mounted.
all_kept() {
	kept "$1/ranges" r && kept "$1/files" f
}
