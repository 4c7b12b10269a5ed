#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs the tests of this directory, or those named, one after the other: nested
# KTAP and a line of totals that counts the results within the tests. Exit
# status 0 if none failed.
#
# usage: run.sh [-t SECONDS] [-u SECONDS] [-m MODE] [-x TEST]... [TEST...]
#
# -t is how long a test may take. -u: so many seconds after the start none begins any more,
# and what is left is skipped.
# -m is the mode (auto, redirect or off) of I/O by the kernel for disks whose test
# asks for none. -x leaves a test out; a TEST may be the beginning of a name, without "test_".

set -u -o pipefail
here=$(dirname "$(readlink -f "$0")")
limit=$(($(sed -n 's/^timeout=//p' "$here/settings") * $(. "$here/common.sh" && echo "$SLOWNESS")))
out=$(mktemp)
trap 'rm -f "$out"' EXIT

passed=0 failed=0 skipped=0 errors=0 number=0 until=''

find_tests() {
	local name
	for name; do
		name=${name##*/}
		name=${name#test_}
		name=${name%.sh}
		compgen -G "$here/test_$name*.sh" | sort || echo "$here/test_$name.sh"
	done
}

# count FILE: adds a test's results to the totals.
count() {
	local p f s
	f=$(grep -c '^not ok [0-9]' "$1")
	s=$(grep -Ec '^ok [0-9].*# SKIP|^1\.\.0 # SKIP' "$1")
	p=$(grep '^ok [0-9]' "$1" | grep -vc '# SKIP')
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	results=$((p + f + s))
}

# What a test that was stopped or died has left goes away.
sweep_after() {
	bash -c '. "$1"; nothing_left || { leftovers; sweep; }' sweep "$here/common.sh" |
		sed 's/^/    # left behind: /'
}

planned() {
	sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$out"
}

run_one() {
	local test=$1 name status results start=$SECONDS line ok='ok' note=''
	name=$(basename "$test")
	number=$((number + 1))
	echo "# selftests: blktap: $name"
	timeout -k 30 "$limit" "$test" >"$out" 2>&1 </dev/null
	status=$?
	sed 's/^/    /' "$out"
	count "$out"
	case $status in
	0) ;;
	4) note=' # SKIP' ;;
	124 | 137) ok='not ok' note=" # TIMEOUT $limit seconds" errors=$((errors + 1)) ;;
	1) ok='not ok' ;;
	*) ok='not ok' note=" # exit=$status" errors=$((errors + 1)) ;;
	esac
	if [ "$ok" = ok ] && { [ "$results" -eq 0 ] || { [ $status -eq 0 ] && [ "$(planned)" != "$results" ]; }; }; then
		ok='not ok' note=' # results do not match the plan' errors=$((errors + 1))
	fi
	line=$(sweep_after)
	if [ -n "$line" ]; then
		echo "$line"
		[ "$ok" != ok ] || { ok="not ok" note=" # something is left behind" errors=$((errors + 1)); }
	fi
	if [ $status -eq 1 ] && ! grep -q '^not ok' "$out"; then
		errors=$((errors + 1))
	fi
	echo "# $name: $((SECONDS - start)) s"
	echo "$ok $number selftests: blktap: $name$note"
}

# too_late TEST: there is no time for it.
too_late() {
	number=$((number + 1)) skipped=$((skipped + 1))
	echo "ok $number selftests: blktap: $(basename "$1") # SKIP after $SECONDS s none begins any more"
}

# leak_result: of all tests. What is younger than some seconds is not reported.
leak_result() {
	local found
	sleep 6
	found=$(unset BLKTAP_TEST_LEAKS_LATER && . "$here/common.sh" && leaks)
	number=$((number + 1))
	if [ -z "$found" ]; then
		passed=$((passed + 1))
		echo "ok $number selftests: blktap: nothing has leaked"
	else
		failed=$((failed + 1))
		echo "    # ${found//$'\n'/$'\n    # '}"
		echo "not ok $number selftests: blktap: nothing has leaked"
	fi
}

left_out=()
while getopts t:u:m:x: option; do
	case $option in
	t) limit=$OPTARG ;;
	u) until=$OPTARG ;;
	m) export BLKTAP_TEST_KERNEL_IO=$OPTARG ;;
	x) left_out+=("$OPTARG") ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
if [ $# -gt 0 ]; then
	mapfile -t tests < <(find_tests "$@" | awk '!seen[$0]++')
else
	tests=("$here"/test_*.sh)
fi

if [ ${#left_out[@]} -gt 0 ]; then
	mapfile -t tests < <(printf '%s\n' "${tests[@]}" | grep -Fvxf <(find_tests "${left_out[@]}"))
fi

# Leaks of the boot are not ours.
if [ -w /sys/kernel/debug/kmemleak ]; then
	echo clear >/sys/kernel/debug/kmemleak
	export BLKTAP_TEST_LEAKS_LATER=1
fi

echo "KTAP version 1"
echo "1..$((${#tests[@]} + ${BLKTAP_TEST_LEAKS_LATER:-0}))"
for test in "${tests[@]}"; do
	if [ -z "$until" ] || [ $SECONDS -lt "$until" ]; then
		run_one "$test"
	else
		too_late "$test"
	fi
done
[ -z "${BLKTAP_TEST_LEAKS_LATER-}" ] || leak_result
echo "# elapsed: $SECONDS s"
echo "# totals: pass:$passed fail:$failed xfail:0 xpass:0 skip:$skipped error:$errors"
[ $((failed + errors)) -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
