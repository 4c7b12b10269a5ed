#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is not a request, or asks for what is not there: the protocol's errors.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl ctl_client jq

create -a ram:1M

# wrong TEXT "CODE ERRNO" LINE
wrong() {
	same "$1" "$2" "$(ctl_client "$CONTROL/ctl$PID" ask "$3" |
		jq -r 'select(.jsonrpc == "2.0" and (.error.message | length) > 0) | "\(.error.code) \(.error.data.errno)"')"
}

request() { printf '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}' "$1" "$2"; }

wrong "no JSON" "-32700 71" 'hello'
wrong "half an object" "-32700 71" '{"jsonrpc":"2.0",'
wrong "a key twice" "-32700 71" '{"jsonrpc":"2.0","id":1,"id":2,"method":"list"}'
wrong "not UTF-8" "-32700 71" $'{"jsonrpc":"2.0","id":1,"method":"\xff"}'
wrong "an empty line" "-32700 71" ''
wrong "a batch" "-32600 22" "[$(request list '{}')]"
wrong "a number" "-32600 22" '1'
wrong "no version" "-32600 22" '{"id":1,"method":"list"}'
wrong "another version" "-32600 22" '{"jsonrpc":"1.0","id":1,"method":"list"}'
wrong "no method" "-32600 22" '{"jsonrpc":"2.0","id":1}'
wrong "an id that is a list" "-32600 22" '{"jsonrpc":"2.0","id":[],"method":"list"}'
wrong "an unknown method" "-32601 95" "$(request frobnicate '{}')"
wrong "parameters by position" "-32602 22" "$(request list '[]')"
wrong "an unknown parameter" "-32602 22" "$(request attach '{"minor":0,"frob":1}')"
wrong "a missing parameter" "-32602 22" "$(request attach '{}')"
wrong "a minor that is text" "-32602 22" "$(request attach '{"minor":"0"}')"
wrong "a minor below zero" "-32602 22" "$(request attach '{"minor":-1}')"
wrong "a minor beyond all" "-32602 22" "$(request attach '{"minor":1048576}')"
wrong "a fraction" "-32602 22" "$(request close '{"minor":0,"timeout_ms":1.5}')"
wrong "a feature that is not built" "-32602 95" "$(request open '{"minor":0,"image":"ram:1M","secondary":"ram:1M"}')"
wrong "an errno is the code of its own" "-114 114" "$(request open '{"minor":0,"image":"ram:1M"}')"
wrong "no such minor here" "-19 19" "$(request close '{"minor":9}')"

same "the id comes back as it was" '"x\"é\u0001"' \
	"$(ctl_client "$CONTROL/ctl$PID" ask '{"jsonrpc":"2.0","id":"x\"é\u0001","method":"list"}' | jq -c .id)"
same "null, too" null "$(ctl_client "$CONTROL/ctl$PID" ask '{"jsonrpc":"2.0","id":null,"method":"list"}' | jq -c .id)"
same "a notification gets no answer" 2 \
	"$(ctl_client "$CONTROL/ctl$PID" ask $'{"jsonrpc":"2.0","method":"list"}\n{"jsonrpc":"2.0","id":2,"method":"list"}' | jq .id)"

# The longest id that fits makes an error that does not.
printf '{"jsonrpc":"2.0","method":"x","id":"%s"}' "$(head -c 1048530 /dev/zero | tr '\0' i)" >"$WORK/line"
length=$(ctl_client "$CONTROL/ctl$PID" file "$WORK/line" | wc -c)
check "no answer is longer than 1 MiB: $length" test "$length" -gt 0 -a "$length" -le 1048576

features=$(rpc version | jq -c .result.features)
same "version" '["pause","resize","stats","shared","kernel_io","restart","descriptors","hand_over","left_over"]' "$features"
check "destroy" destroy

finish
