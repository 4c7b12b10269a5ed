#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# XenServer's storage manager: its sequence of calls, read by its rules.
#
# Of each command it reads the first line of standard output; anything but status
# 0 is a failure whose text is on standard error. A line of list is split at up to
# three blanks, each part at its one "="; state is hexadecimal, pid and minor are
# decimal; a row without all four is none.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl jq perl

# first COMMAND...: the first line, or nothing and its status
first() {
	local status
	"$@" >"$WORK/stdout" 2>"$WORK/stderr"
	status=$?
	[ $status -ne 0 ] || { head -n 1 "$WORK/stdout" | sed 's/[[:space:]]*$//'; }
	return $status
}

# rows OPTION...: "pid minor state args" of each complete row, or BAD LINE
rows() {
	tap-ctl list "$@" | perl -ne '
		s/\s+$//;
		my %row;
		for my $field (split / /, $_, 4) {
			my @words = split /=/, $field, -1;
			if (@words != 2) { print "BAD $_\n"; next }
			$row{$words[0]} = $words[1];
		}
		for my $key (qw(pid minor)) {
			next unless exists $row{$key};
			print "BAD $_\n" unless $row{$key} =~ /^[0-9]+$/;
		}
		if (exists $row{state}) {
			print "BAD $_\n" unless $row{state} =~ /^(0x)?[0-9a-f]+$/;
			$row{state} = hex $row{state};
		}
		next if grep { !exists $row{$_} } qw(pid minor state args);
		print "$row{pid} $row{minor} $row{state} $row{args}\n";
	'
}

# fails_with TEXT STATUS COMMAND...
fails_with() {
	first "${@:3}" >/dev/null
	same "$1: status $2 and a text" "$2 text" "$? $([ -s "$WORK/stderr" ] && echo text)"
}

PAUSED=$((0x20))
image a.vdi 8M
cp "$IMAGE" "$WORK/b.vdi"

same "find_by_path finds nothing" "" "$(rows -f "$IMAGE")"
device=$(first tap-ctl allocate)
check "allocate: the path has the minor" grep -Eq '^/dev/xen/blktap-2/(blktap|tapdev)[0-9]+$' <<<"$device"
minor=${device##*tapdev}
pid=$(first tap-ctl spawn)
check "spawn: an integer" grep -Eqx '[0-9]+' <<<"$pid"
check "of a process" kill -0 "$pid"
same "rows that are incomplete are none" "" "$(rows)"
check "attach" tap-ctl attach -p "$pid" -m "$minor"
same "nor is one without an image" "" "$(rows -m "$minor")"
fails_with "open: a missing file" 2 tap-ctl open -p "$pid" -m "$minor" -a "aio:$WORK/none"
check "open" tap-ctl open -p "$pid" -m "$minor" -a "aio:$IMAGE" -t 90
same "list -m: exactly one row" "$pid $minor 0 aio:$IMAGE" "$(rows -m "$minor")"
same "find_by_path finds it" "$pid $minor 0 aio:$IMAGE" "$(rows -f "$IMAGE")"
same "list -t -p" "$pid $minor 0 aio:$IMAGE" "$(rows -t aio -p "$pid")"
same "/proc/devices has tapdev" 1 "$(grep -c ' tapdev$' /proc/devices)"
same "the ring's task" "$pid" "$(cat "/sys/class/blktap2/blktap!blktap$minor/task")"

exec 8<"$device"
check "pause, while a guest has the disk" tap-ctl pause -p "$pid" -m "$minor"
same "the row" "$pid $minor 42 aio:$IMAGE" "$(rows -m "$minor")"
same "its text, as the toolstack compares it" "state=0x2a" "$(tap-ctl list -m "$minor" | cut -d ' ' -f 3)"
state=$(rows -m "$minor" | cut -d ' ' -f 3)
check "is_paused" test $((state & PAUSED)) -ne 0
check "unpause with the path of a new leaf" tap-ctl unpause -p "$pid" -m "$minor" -a "aio:$WORK/b.vdi"
same "the row" "$pid $minor 0 aio:$WORK/b.vdi" "$(rows -m "$minor")"
same "find_by_path of the old one" "" "$(rows -f "$IMAGE")"

first tap-ctl stats -p "$pid" -m "$minor" >"$WORK/stats"
same "stats: its first line is the object" \
	'["FIXME_enospc_redirect_count","images","name","nbd_mirror_failed","read_caching","reqs_outstanding","secs","tap"]' \
	"$(jq -c '[keys[] | select(. as $k | ["FIXME_enospc_redirect_count","images","name","nbd_mirror_failed","read_caching","reqs_outstanding","secs","tap"] | index($k))]' "$WORK/stats")"
same "its types" '["string","array","array","number","number","array"]' \
	"$(jq -c '[(.name, .secs, .images[0].hits, .images[0].driver.type, .tap.minor, .tap.reqs) | type]' "$WORK/stats")"
exec 8<&-

fails_with "attach twice" 17 tap-ctl attach -p "$pid" -m "$minor"
fails_with "detach while open" 16 tap-ctl detach -p "$pid" -m "$minor"
fails_with "unpause while running" 22 tap-ctl unpause -p "$pid" -m "$minor"
fails_with "stats of another minor" 19 tap-ctl stats -p "$pid" -m 99

check "close -t 120" tap-ctl close -p "$pid" -m "$minor" -t 120
same "the row is 0x2, and incomplete" "pid=$pid minor=$minor state=0x2" "$(tap-ctl list -m "$minor")"
check "close again" tap-ctl close -p "$pid" -m "$minor" -t 120
check "detach" tap-ctl detach -p "$pid" -m "$minor"
check "the tapdisk ends" wait_for 10 no_tapdisk
kill -TERM "$pid" 2>/dev/null
check "free" tap-ctl free -m "$minor"
same "list: nothing" "" "$(tap-ctl list)"

finish
