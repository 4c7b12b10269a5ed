# SPDX-License-Identifier: GPL-2.0-only
# What the guest tells the host: a line for each thing to know, fields divided
# by tabs.
# shellcheck shell=bash

# say WHAT FIELD...
say() {
	local IFS=$'\t'
	echo "$*"
}

say_machine() {
	say kernel "$(uname -r)"
	say memory "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
	say cpus "$(nproc)"
}
