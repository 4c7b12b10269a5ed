# SPDX-License-Identifier: GPL-2.0-only
# Are the manual pages well-formed, and do they tell what the programs' own
# help tells: every command, every option, and nothing else?
# shellcheck shell=bash

MANUALS=$TOP/Documentation/man

# page_text PAGE: as a reader sees it.
page_text() {
	mandoc -T ascii -O width=200 "$MANUALS/$1" | sed 's/.\x08//g'
}

# page_section PAGE HEADING: the lines of one section.
page_section() {
	page_text "$1" | awk -v heading="$2" '/^[A-Z]/ { on = ($0 == heading); next } on'
}

# Options as "-p, --pid PID", a line each: what the help says, and what the
# tags of a page say.
help_options() {
	sed -n -E 's/^ {2,6}(-(-[a-z0-9-]+|[a-zA-Z0-9])(, --[a-z-]+)?([ =][][A-Z:|]+)?).*/\1/p' | sort
}

page_options() {
	page_section "$1" OPTIONS |
		sed -n -E 's/^ {7}(-(-[a-z0-9-]+|[a-zA-Z0-9])(, --[a-z-]+)?([ =][][A-Z:|]+)?)( {2,}.*| [A-Z][a-z].*)?$/\1/p' | sort
}

# supported_options: the short or long forms alone of those that work.
supported_options() {
	sed -n -E '/not supported yet$/d; s/^ {2,6}(-(-[a-z-]+|[a-zA-Z0-9])).*/\1/p'
}

manual_is_wrong() {
	echo "$MANUALS/$1: ${*:2}"
	wrong=1
}

# same_options PAGE PROGRAM...: the page and the help of the program agree.
same_options() {
	local page=$1 option
	shift
	while read -r option; do
		manual_is_wrong "$page" "OPTIONS: $option"
	done < <(diff <(page_options "$page") <("$@" | help_options) |
		sed -n -e 's/^< /only the page has: /p' -e 's/^> /only the help has: /p')
	while read -r option; do
		grep -qE -e "(^|[][ ])$option([][ =]|$)" <<<"$(page_section "$page" SYNOPSIS)" ||
			manual_is_wrong "$page" "SYNOPSIS lacks $option"
	done < <("$@" | supported_options | grep -vxE -e '-h|--help|--version|--debug')
}

tap_ctl_commands() {
	"$TOP/build/tap-ctl" help | awk '/^commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'
}

# well_formed PAGE: mandoc has nothing to say, and it is of this version.
well_formed() {
	local version
	version=$(cat "$TOP/VERSION")
	mandoc -T lint -W warning "$MANUALS/$1" || wrong=1
	grep -qE "^\.TH [A-Za-z_-]+ [1-8] [0-9-]{10} \"blktap $version\"" "$MANUALS/$1" ||
		manual_is_wrong "$1" ".TH is not of version $version"
}

# references PAGE: pages of ours that it names exist.
references() {
	local name section
	while read -r name section; do
		[ -e "$MANUALS/$name.$section" ] || manual_is_wrong "$1" "refers to $name($section), which is not there"
	done < <(page_text "$1" | grep -oE '\b(tap-ctl[a-z-]*|tapdisk|blktap[a-z-]*|libblktap)\([1-8]\)' |
		sort -u | tr '()' '  ')
}

lint_manuals() {
	local page command wrong=0
	make -s -C "$TOP" user
	export LD_LIBRARY_PATH=$TOP/build
	for page in "$MANUALS"/*.[1-8]; do
		well_formed "${page##*/}"
		references "${page##*/}"
	done
	for command in $(tap_ctl_commands); do
		grep -qE "^ {7}(tap-ctl-$command\(8\)|tap-ctl $command)( |$)" <<<"$(page_section tap-ctl.8 COMMANDS)" ||
			manual_is_wrong tap-ctl.8 "COMMANDS lacks $command"
		[ "$command" != help ] || continue
		if [ -e "$MANUALS/tap-ctl-$command.8" ]; then
			same_options "tap-ctl-$command.8" "$TOP/build/tap-ctl" "$command" -h
		else
			manual_is_wrong "tap-ctl-$command.8" "is missing"
		fi
	done
	for page in "$MANUALS"/tap-ctl-*.8; do
		command=${page##*/tap-ctl-} command=${command%.8}
		grep -qx "$command" <<<"$(tap_ctl_commands)" || manual_is_wrong "${page##*/}" "there is no such command"
	done
	same_options tapdisk.8 "$TOP/build/tapdisk" -h
	return "$wrong"
}
