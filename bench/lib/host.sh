# SPDX-License-Identifier: GPL-2.0-only
# What a run needs to know of the host, and what its log begins with.
# shellcheck shell=bash

number() {
	[[ $2 =~ ^[1-9][0-9]{0,3}$ ]] || die "$1 wants a number, not '$2'"
}

# guest_memory: MiB for the guest: 8 GiB, or what the host can spare.
guest_memory() {
	local spare
	spare=$(awk '/^MemAvailable/ { print int($2 / 1024) - 2048 }' /proc/meminfo)
	[ "$spare" -ge 2048 ] || die "not enough memory free for a virtual machine that is worth measuring in"
	echo $((spare > 8192 ? 8192 : spare))
}

# options NAME=VALUE...: lines of the log, with those that every run has.
options() {
	printf 'options\t%s\n' "accelerator=$(accelerator | sed 's/^-accel \([a-z]*\).*/\1/')" "$@" \
		"commit=$(git -C "$TOP" describe --always --dirty 2>/dev/null || cat "$TOP/VERSION")"
}
