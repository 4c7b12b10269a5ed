#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Clients of a tapdisk with bad manners: each gets what it deserves.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client jq

LIST='{"jsonrpc":"2.0","id":1,"method":"list"}'
client() { ctl_client "$CONTROL/ctl$PID" "$@"; }
seen() { sed -n "s/.*$2=\([0-9]*\).*/\1/p" "$WORK/job.$1"; }

create -a ram:1M
must tap-ctl allocate
must tap-ctl attach -p "$PID" -m 1
answer=$(client ask "$LIST")
same "list" '{"jsonrpc":"2.0","id":1,"result":{"vbds":[{"minor":0,"state":0,"image":{"type":"ram","path":"1M"},"kernel_io":"off","read_only":false},{"minor":1,"state":0}]}}' "$answer"

background client mute
mute=$JOB
background client half
half=$JOB
background client deaf 100000
deaf=$JOB

same "a client that sends byte by byte" "$answer" "$(client slow "$LIST")"
same "one that has closed its writing side" "$answer" "$(client shut "$LIST")"
check "one that asks for no answer, and closes its writing side" \
	client quiet '{"jsonrpc":"2.0","method":"open","params":{"minor":1,"image":"ram:1M"}}'
check "one that leaves without its answer" client vanish "$LIST"
check "200 requests at once on a connection" client pipeline 200
check "100 connections at once, with these" client crowd 100
check "200 connections one after the other" bash -c "for i in {1..200}; do ctl_client '$CONTROL/ctl$PID' vanish x || exit 1; done"
same "a line of 1 MiB and a byte is refused" "-32600 22" \
	"$(client long 1048577 | jq -r '"\(.error.code) \(.error.data.errno)"')"
same "one of 1 MiB without its newline, too" "-32600 22" \
	"$(client long 1048576 | jq -r '"\(.error.code) \(.error.data.errno)"')"

# Deadlines are 10 s.
ends "half a request: the server hangs up" 0 "$half" 20
check "after 8 to 15 s: $(seen "$half" hangup_ms) ms" test "$(seen "$half" hangup_ms)" -ge 8000 -a "$(seen "$half" hangup_ms)" -le 15000
ends "no answer read: the server hangs up" 0 "$deaf" 45
check "it did not take all 100000 requests: $(seen "$deaf" sent)" test "$(seen "$deaf" sent)" -lt 100000
check "a silent client is none of its business" kill -0 "$mute"
kill "$mute"
reap "$mute"

check "all others still get their answers" client ask "$LIST"
must tap-ctl close -p "$PID" -m 1
must tap-ctl detach -p "$PID" -m 1
must tap-ctl free -m 1
check "destroy" destroy

finish
