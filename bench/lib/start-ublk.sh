# SPDX-License-Identifier: GPL-2.0-only
# ublk, through the server of the kernel's own selftests.
# shellcheck shell=bash

# What a mode asks of the server, and the flags that the driver has to grant:
# older ones drop what they do not know and copy.
ZERO_COPY=$((1 << 0)) AUTO_BUF_REG=$((1 << 11)) BATCH_IO=$((1 << 15))
declare -A UBLK_OPTIONS=([copy]="" [zc]=-z [auto]=--auto_zc [batch]=-b [batch-auto]="-b --auto_zc")
declare -A UBLK_FLAGS=([copy]=0 [zc]=$ZERO_COPY [auto]=$AUTO_BUF_REG [batch]=$BATCH_IO
	[batch-auto]=$((BATCH_IO | AUTO_BUF_REG)))

start_ublk_null() {
	start_ublk "$1" null
}

start_ublk_brd() {
	have_ublk && next_brd && start_ublk "$1" loop "$brd"
}

start_ublk_ext4() {
	have_ublk && start_ublk "$1" loop "$(ext4_file ublk)"
}

have_ublk() {
	module ublk_drv || return
	[ -c /dev/ublk-control ] || missing "there is no /dev/ublk-control"
}

# start_ublk MODE TARGET [FILE]
start_ublk() {
	local mode=$1 id=$((ublks++)) options flags
	have_ublk || return
	read -ra options <<<"${UBLK_OPTIONS[$mode]}"
	shift
	"$servers/kublk" add --foreground -n "$id" -q "$queues" -d 128 ${options+"${options[@]}"} -t "$@" \
		>"$work/said" 2>&1 &
	pid=$!
	# The server says what it got once the disk is there.
	if ! wait_for "$pid" grep -q 'daemon pid' "$work/said" || ! wait_for "$pid" test -b "/dev/ublkb$id"; then
		stop "$pid"
		missing "no disk in mode '$mode': $(said)"
		return
	fi
	flags=$(sed -n 's/.* flags \(0x[0-9a-f]*\) .*/\1/p' "$work/said")
	if [ $((flags & UBLK_FLAGS[$mode])) -ne "${UBLK_FLAGS[$mode]}" ]; then
		attempt "$servers/kublk" del -n "$id" >/dev/null
		missing "the ublk driver of this kernel has no mode '$mode'"
		return
	fi
	device=/dev/ublkb$id
}
