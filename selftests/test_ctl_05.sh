#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Statistics: the line that scripts parse, its numbers, and OpenMetrics.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq

# openmetrics FILE: says what is wrong with it
openmetrics() {
	awk '
	function wrong(why) { print NR ": " why ": " $0; bad = 1 }
	ended { wrong("after the end") }
	/^# EOF$/ { ended = 1; next }
	/^# TYPE [a-z_]+ (gauge|counter|histogram)$/ {
		if (type[$3]) wrong("a family twice")
		family = $3; type[family] = $4; next }
	/^# (UNIT|HELP) / {
		if ($3 != family) wrong("about another family")
		if ($2 == "UNIT" && substr(family, length(family) - length($4) + 1) != $4) wrong("the name lacks its unit")
		next }
	/^#/ || /^$/ { wrong("no such line"); next }
	{
		if (!match($0, /^[a-z_]+\{([a-z]+="([^"\\]|\\["\\n])*",?)*\} [0-9.e+-]+$/)) { wrong("no sample"); next }
		name = $0; sub(/\{.*/, "", name)
		suffix = substr(name, length(family) + 1)
		if (substr(name, 1, length(family)) != family) wrong("of another family")
		kind = type[family]
		if (!((kind == "gauge" && suffix == "") ||
		      (kind == "counter" && suffix == "_total") ||
		      (kind == "histogram" && suffix ~ /^_(bucket|count|sum)$/))) wrong("not the name of a " kind)
		value = $0; sub(/.*\} /, "", value)
		labels = $0; sub(/^[a-z_]+/, "", labels); sub(/ [^ ]*$/, "", labels)
		if (seen[name labels]++) wrong("twice")
		if (suffix == "_bucket") {
			rest = labels; le = rest; sub(/.*le="/, "", le); sub(/".*/, "", le); sub(/,?le="[^"]*"/, "", rest)
			if (rest == last_rest && value + 0 < last + 0) wrong("buckets must not fall")
			last = value; last_rest = rest
			if (le == "+Inf") inf[rest] = value
		}
		if (suffix == "_count" && inf[labels] != value) wrong("the count is not that of the last bucket")
	}
	END { if (!ended) { print "it does not end in # EOF"; bad = 1 }; exit bad }' "$1"
}

image disk.img 8M
create --kernel-io=off -a "aio:$IMAGE"
must dd if=/dev/zero of="$DISK" bs=64k count=16 oflag=direct
must dd if="$DISK" of=/dev/null bs=64k count=32 iflag=direct
tap-ctl stats -p "$PID" -m 0 >"$WORK/stats"
same "stats: status 0, one line" "0 1" "$? $(wc -l <"$WORK/stats")"
value() { jq -c "$1" "$WORK/stats"; }
same "the keys that scripts know" '"aio:'"$IMAGE"'" [0,0] {"type":0,"name":"aio"} 0 0 0 "false"' \
	"$(value .name) $(value '.images[0].fail') $(value '.images[0].driver | {type, name}') $(value .nbd_mirror_failed) $(value .FIXME_enospc_redirect_count) $(value .reqs_outstanding) $(value .read_caching)"
same "sectors are those of the images" "$(value .secs)" "$(value '.images[0].hits')"
check "sectors read: $(value '.secs[0]')" test "$(value '.secs[0]')" -ge 4096
same "sectors written" 2048 "$(value '.secs[1]')"
same "requests taken are answered" "$(value '.tap.reqs[0]')" "$(value '.tap.reqs[1]')"
same "queues and operations add up" "[$(value '.secs[0]'),$(value '.secs[1]'),$(value '.tap.reqs[1]')]" \
	"$(value '[([.queues[].ops.read.bytes] | add / 512), ([.queues[].ops.write.bytes] | add / 512), ([.queues[].ops[].requests] | add)]')"
same "so do the latencies" "$(value '[.queues[].ops[].requests] | add')" "$(value '[.queues[].ops[].latency[]] | add')"
check "time passed" test "$(value '[.queues[].ops[].time_ns] | add')" -gt 0
same "state" 0 "$(value .state)"

must tap-ctl pause -p "$PID" -m 0
tap-ctl stats -p "$PID" -m 0 >"$WORK/paused"
same "a pause keeps the counters" "$(value .secs)" "$(jq -c .secs "$WORK/paused")"
same "and shows" 42 "$(jq .state "$WORK/paused")"
must tap-ctl unpause -p "$PID" -m 0
must dd if=/dev/zero of="$DISK" bs=64k count=16 oflag=direct
tap-ctl stats -p "$PID" -m 0 >"$WORK/stats"
same "they go on" 4096 "$(value '.secs[1]')"

tap-ctl stats --openmetrics >"$WORK/metrics"
same "--openmetrics" 0 $?
check "is well-formed" openmetrics "$WORK/metrics"
sed 's/^# EOF/# END/' "$WORK/metrics" >"$WORK/broken"
check_not "which the check would notice" openmetrics "$WORK/broken"
same "it has the bytes written" $((4096 * 512)) "$(awk '/^blktap_io_bytes_total\{.*op="write"/ { n += $NF } END { print n }' "$WORK/metrics")"
same "and whose they are" 1 "$(grep -c "^blktap_vbd_info{pid=\"$PID\",minor=\"0\",image=\"aio:$IMAGE\"} 1$" "$WORK/metrics")"
refused "with --json" 22 'json' tap-ctl stats --openmetrics --json
refused "no such minor" 19 '9' tap-ctl stats -p "$PID" -m 9
refused "no such tapdisk" 2 '99999' tap-ctl stats -p 99999 -m 0
must tap-ctl close -p "$PID" -m 0
same "without an image there are no queues" '["",0,0]' \
	"$(tap-ctl stats -p "$PID" -m 0 | jq -c '[.name, (.images | length), (.queues // [] | length)]')"
check "open" tap-ctl open -p "$PID" -m 0 -a "aio:$IMAGE"
check "counters begin anew" test "$(tap-ctl stats -p "$PID" -m 0 | jq '.secs[1]')" = 0
check "destroy" destroy
tap-ctl stats --openmetrics >"$WORK/metrics"
check "without any disk it is well-formed" openmetrics "$WORK/metrics"

finish
