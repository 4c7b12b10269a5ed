#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The kernel's own netlink client, which knows the family from its
# specification alone.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl python3 jq

# first FILE...: the first that is there.
first() {
	local file
	for file; do
		[ ! -e "$file" ] || { readlink -f "$file"; return; }
	done
}

# Installed beside this test, or from the tree that this test stands in.
kernel=$HERE/../../../..
CLI=$(first "$HERE"/ynl/{pyynl/,}cli.py "$kernel"/tools/net/ynl/{pyynl/,}cli.py)
[ -n "$CLI" ] || skip_all "tools/net/ynl of a kernel tree is not there"
python3 -c 'import yaml' 2>/dev/null || skip_all "needs the yaml module of python3"

# Each call reads the specification anew. The parser in C saves seconds of every
# one in an emulation, minutes on a debug kernel.
mkdir -p "$WORK/python"
cat >"$WORK/python/sitecustomize.py" <<'END'
import yaml
yaml.safe_load = lambda stream: yaml.load(stream, getattr(yaml, 'CSafeLoader', yaml.SafeLoader))
END
export PYTHONPATH=$WORK/python PYTHONPYCACHEPREFIX=$WORK/python
ynl() { python3 "$CLI" --spec "$HERE/blktap.yaml" --no-schema "$@"; }
ynl_json() { ynl --output-json "$@"; }

# value FILTER JSON
value() { jq -c "$1" <<<"$2" 2>&1; }

got=$(ynl_json --do get-features)
same "get-features" "1 65536 1024 4194304" \
	"$(value '[.abi, .["max-minors"], .["max-depth"], .["max-io-limit"]] | map(tostring) | join(" ")' "$got" | tr -d '"')"

uuid=00112233445566778899aabbccddeeff
written=00112233-4455-6677-8899-aabbccddeeff
new='{"minor": 7, "queues": 1, "depth": 32, "on-death": "fail", "serial": "disk-7", "uuid": "'$uuid'"}'
got=$(ynl_json --do new-tap --json "$new")
same "new-tap tells the tap" "[7,1,32,\"fail\",\"disk-7\",\"$written\",\"none\"]" \
	"$(value '[.minor, .queues, .depth, .["on-death"], .serial, .uuid, .["disk-state"]]' "$got")"
same "nl_tool sees it" 32 "$(tap_value 7 depth)"

ynl --do get-tap --json '{"minor": 8}' >"$WORK/refused" 2>&1
same "a refusal is a failure" 1 $?
check "with its reason" grep -q "'msg': 'no such minor'" "$WORK/refused"
check "and the attribute" grep -q "'bad-attr': '.minor'" "$WORK/refused"
note "$(cat "$WORK/refused")"

check "del-tap" ynl --do del-tap --json '{"minor": 7}'

image disk.img 1M
create -a "aio:$IMAGE"
nl_tool new minor=9 >"$WORK/nine" || die "another tap cannot be allocated"
got=$(ynl_json --dump get-tap)
same "the dump has all taps" '[[0,"live",1048576],[9,"none",null]]' \
	"$(value '[.[] | [.minor, .["disk-state"], .capacity]]' "$got")"
same "flags have names" true "$(value '.[0]["disk-flags"] | contains(["write-cache"])' "$got")"
must nl_tool del 9
must destroy

# The socket of process $1 is in a group.
subscribed() {
	awk -v pid="$1" '$2 == 16 && $3 == pid && $4 !~ /^0*$/ { found = 1 } END { exit !found }' /proc/net/netlink
}

background ynl_json --subscribe events --sleep 4
listener=$JOB
python_of() { pgrep -P "$listener" python3 || echo "$listener"; }
listening() { subscribed "$(python_of)"; }
wait_for 20 listening || die "the client does not subscribe"
must nl_tool new minor=3
must nl_tool del 3
reap "$listener"
got=$(tail -n 1 "$WORK/job.$listener")
same "events arrive" '[["event","allocated",3],["event","freed",3]]' \
	"$(value '[.[] | [.name, .msg.event, .msg.minor]]' "$got")"
same "numbered" 1 "$(value '.[1].msg.seq - .[0].msg.seq' "$got")"

same "no tap is left" "" "$(taps)"

finish
