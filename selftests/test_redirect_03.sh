#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A thread that serves a tap, and another one on that tap's disk, does not wait for itself.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup ring_stack

background ring_stack
stack=$JOB

# Where it does wait for itself, only this ends it.
forced_off() {
	local minor
	for minor in $(taps); do
		nl_tool end "$minor" force
	done
}

stacked() {
	reap "$stack" 60 || { forced_off; reap "$stack" 20; }
	cat "$WORK/job.$stack"
	[ "$REAPED" != hangs ] && return "$REAPED"
}

adopt stacked

finish
