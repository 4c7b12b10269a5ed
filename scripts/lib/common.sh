# SPDX-License-Identifier: GPL-2.0-only
# Messages, places and locks that every script here uses. Source it first.
# shellcheck shell=bash

# Where the clone is, and what it leaves there.
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
# What outlives the clone: kernels, guest file systems, the debug kernel.
CACHE=${BLKTAP_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/blktap}

# The tools of administration are not on every user's path.
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C.UTF-8

note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { note "$*"; exit 1; }

need_root() {
	[ "$(id -u)" -eq 0 ] || die "$1 needs root; run it with sudo"
}

# with_lock NAME COMMAND...: one run at a time for this cache. A command that
# fails ends the script, so do not call this where errexit is off.
with_lock() {
	local name=$1 fd
	shift
	mkdir -p "$CACHE"
	exec {fd}>"$CACHE/.$name.lock"
	if ! flock -n "$fd"; then
		note "waiting for another run to finish with $name"
		flock "$fd"
	fi
	"$@"
	exec {fd}>&-
}

# fresh_dir NAME: an empty work directory in the cache, whatever an
# interrupted run left there. Call it with the lock held.
fresh_dir() {
	rm -rf "$CACHE/.new-$1"
	mkdir -p "$CACHE/.new-$1"
	echo "$CACHE/.new-$1"
}

# settle NAME: the work directory of that name becomes $CACHE/NAME.
settle() {
	rm -rf "${CACHE:?}/$1"
	mv -T "$CACHE/.new-$1" "$CACHE/$1"
}

# quietly LOG COMMAND...: output goes to the log and is shown if it fails.
quietly() {
	local log=$1
	shift
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 40 "$log" >&2
		die "failed: $*"
	fi
}
