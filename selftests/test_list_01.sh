#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# 1000 taps in 50 tapdisks: list is right, and quick.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client jq

TAPDISKS=50
EACH=20
TAPS=$((TAPDISKS * EACH))

request() { printf '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}\n' "$1" "$2"; }
attach_all() {
	local minor
	for ((minor = $2; minor < $2 + EACH; minor++)); do
		request attach "{\"minor\":$minor}"
	done >"$WORK/script"
	request open "{\"minor\":$2,\"image\":\"ram:16M\"}" >>"$WORK/script"
	must ctl_client "$CONTROL/ctl$1" script "$WORK/script"
}

must nl_tool fill $TAPS
# Of numbers that grow, as those of processes do until they start again.
for ((i = 0; i < TAPDISKS; i++)); do
	tap-ctl spawn || break
done | sort -n >"$WORK/pids"
mapfile -t pids <"$WORK/pids"
same "$TAPDISKS tapdisks" $TAPDISKS "${#pids[@]}"
for ((i = 0; i < TAPDISKS; i++)); do
	attach_all "${pids[i]}" $((i * EACH))
done

for ((i = 0; i < TAPS; i++)); do
	echo "pid=${pids[i / EACH]} minor=$i state=0$( ((i % EACH)) || echo " args=ram:16M")"
done >"$WORK/expected"

times=()
for _ in {1..5}; do
	start=$(date +%s%N)
	tap-ctl list >"$WORK/list" || break
	times+=($((($(date +%s%N) - start) / 1000000)))
done
mapfile -t times < <(printf '%s\n' "${times[@]}" | sort -n)
note "list of $TAPS taps in $TAPDISKS tapdisks: ${times[*]} ms"
check "each tap once, by number" cmp "$WORK/expected" "$WORK/list"
check "in less than 3 s: ${times[2]} ms" test "${times[2]}" -lt 3000
same "JSON has the same" $TAPS "$(tap-ctl list --json | jq '[.. | objects | select(has("minor"))] | length')"
same "-m" "$(sed -n 778p "$WORK/expected")" "$(tap-ctl list -m 777)"
same "-p" "$(grep "^pid=${pids[7]} " "$WORK/expected")" "$(tap-ctl list -p "${pids[7]}")"
same "-t" $TAPDISKS "$(tap-ctl list -t ram | wc -l)"
same "on a terminal" $TAPS "$(on_a_terminal "tap-ctl list" | awk '$2 == NR - 1' | wc -l)"

kill -TERM "${pids[@]}"
check "all tapdisks leave" wait_for 60 no_tapdisk
same "list: the taps alone" "$(seq -f 'minor=%.0f' 0 $((TAPS - 1)))" "$(tap-ctl list)"
must nl_tool drain $TAPS
same "list: nothing" "" "$(tap-ctl list)"

finish
