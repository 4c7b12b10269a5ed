#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# tap-ctl --json: one value a line that says what the other form says.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq

# is TEXT EXPECTED FILTER COMMAND...: what jq makes of the one line of output
is() {
	local text=$1 expected=$2 filter=$3
	shift 3
	"$@" >"$WORK/json" 2>"$WORK/stderr"
	same "$text" "0 1 $expected" "$? $(wc -l <"$WORK/json") $(jq -c "$filter" "$WORK/json" 2>&1)"
}
path=$WORK/'a "b" = c.img'
truncate -s 8M "$path"

is "check" '{"ok":true}' . tap-ctl check --json
is "major" "$(awk '$2 == "tapdev" { print $1 }' /proc/devices)" .major tap-ctl major --json
is "major -c" "$(awk '$2 == "blktap2" { print $1 }' /proc/devices)" .major tap-ctl major -c --json
is "list: nothing" '[]' . tap-ctl list --json
is "allocate" "\"$NODES/tapdev0\"" .device tap-ctl allocate --json
is "spawn" '"number"' '.pid | type' tap-ctl spawn --json
pid=$(jq .pid "$WORK/json")
is "list: both" "[{\"pid\":$pid},{\"minor\":0}]" . tap-ctl list --json
must tap-ctl attach -p "$pid" -m 0
must tap-ctl open -p "$pid" -m 0 -a "aio:$path" --kernel-io=auto
is "list: an odd path comes whole" "$(jq -nc --arg path "$path" --argjson pid "$pid" \
	'[{"pid":$pid,"minor":0,"state":0,"type":"aio","path":$path,"kernel_io":"auto"}]')" . tap-ctl list --json
is "info about the driver" '["abi","max_io"]' '[.driver | keys[] | select(. == "abi" or . == "max_io")]' \
	tap-ctl info --json
is "info about a tap" "[0,$pid,8388608,\"live\",\"$(printf '%s' "aio")\"]" \
	'[.minor, .pid, .capacity, .disk, .vbd.type]' tap-ctl info -m 0 --json
is "info about a tapdisk" "[$pid,1,[0]]" '[.pid, .protocol, [.vbds[].minor]]' tap-ctl info -p "$pid" --json
is "stats of a disk: an object" '["object",0]' '[type, .tap.minor]' tap-ctl stats -p "$pid" -m 0 --json
is "stats of all: an array" '["array",1]' '[type, length]' tap-ctl stats --json
must tap-ctl pause -p "$pid" -m 0
is "list: paused" "[42]" 'map(.state)' tap-ctl list --json
must tap-ctl unpause -p "$pid" -m 0
is "resize" 16777216 .capacity tap-ctl resize -p "$pid" -m 0 -s 16M --json
is "top" '[0]' '[.disks[].minor]' tap-ctl top -n 1 -d 1 --json
must tap-ctl destroy -p "$pid" -m 0
is "create" "\"$NODES/tapdev0\"" .device tap-ctl create -a "ram:1M" --json
must tap-ctl destroy -p "$(pid_of 0)" -m 0
tap-ctl free -m 0 --json 2>"$WORK/stderr"
same "where there is nothing to print it is refused" 22 $?

finish
