#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tap-ctl: help, wrong options, and what is not built.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl

COMMANDS='list allocate free create destroy spawn attach detach open close recover supervise pause unpause resize takeover stats top monitor info major check'

# says TEXT STATUS COMMAND...: text on standard output and nothing on the other
says() {
	local text=$1
	shift
	"$@" >"$WORK/stdout" 2>"$WORK/stderr"
	same "$text" "0 text 0" "$? $([ -s "$WORK/stdout" ] && echo text) $(wc -c <"$WORK/stderr")"
}

same "the commands are these" "$COMMANDS help" \
	"$(tap-ctl help | sed -n 's/^  \([a-z]*\) .*/\1/p' | tr '\n' ' ' | sed 's/ $//')"
says "without a word there is help" tap-ctl
same "the same as by name" "$(tap-ctl help)" "$(tap-ctl)"
same "and by option" "$(tap-ctl help)" "$(tap-ctl --help)"
same "--version" "tap-ctl $(tap-ctl info --json | sed -n 's/^{"version":"\([^"]*\)".*/\1/p')" "$(tap-ctl --version)"
for command in $COMMANDS; do
	says "help $command" tap-ctl help "$command"
	same "$command -h" "$(cat "$WORK/stdout")" "$(tap-ctl "$command" -h)"
	refused "$command: an unknown option" 22 "$command" tap-ctl "$command" --frobnicate
	refused "$command: a word too many" 22 "$command" tap-ctl "$command" frobnicate
done

refused "an unknown command" 22 'frobnicate' tap-ctl frobnicate
refused "help about it" 22 'frobnicate' tap-ctl help frobnicate
for command in free attach detach open close destroy pause unpause resize; do
	refused "$command without its options" 22 "$command" tap-ctl "$command"
done

# not_built COMMAND OPTION...: status 95 and a sentence that names it
not_built() {
	refused "$1 $2 is not built" 95 "$2" tap-ctl "$1" -p 1 -m 0 "${@:2}"
}
for option in "-r" "-e 1" "-2 ram:1M" "-s" "-C $WORK/log" "-E"; do
	read -ra words <<<"$option"
	not_built open "${words[@]}" -a ram:1M
	refused "create ${words[0]} is not built" 95 "${words[0]}" tap-ctl create "${words[@]}" -a ram:1M
done
not_built unpause -2 ram:1M
not_built unpause -c "$WORK/log"
same "none of that has done anything" "" "$(tap-ctl list)"

# bad COMMAND ARGUMENTS...: wrong values
bad() { refused "tap-ctl $*" 22 "$1" tap-ctl "$@"; }
bad list -p x
bad list -p 0
bad list -m -1
bad close -p 1 -m 0 -t x
bad pause -p 1 -m 0 -t -5
bad resize -p 1 -m 0 -s 12X
bad resize -p 1 -m 0 -s ''
bad open -p 1 -m 0 -a ram
bad open -p 1 -m 0 -a :1M
bad top -n x
bad allocate --uuid 12
bad allocate --max-io 3

"tap-ctl" --debug list >"$WORK/stdout" 2>"$WORK/stderr"
same "--debug before a command: a trace, not on standard output" "0 0 text" \
	"$? $(wc -c <"$WORK/stdout") $([ -s "$WORK/stderr" ] && echo text)"
pid=$(tap-ctl spawn --debug 2>"$WORK/stderr")
same "and after it" "pid=$pid" "$(tap-ctl list)"
tap-ctl list -p "$pid" --debug >/dev/null 2>"$WORK/stderr"
check "it has the requests" grep -q '"method":"list"' "$WORK/stderr"
kill -TERM "$pid"
wait_for 10 no_tapdisk

finish
