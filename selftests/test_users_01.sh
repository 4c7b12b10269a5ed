#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Who can reach what: each row of the table in SECURITY.md.
. "$(dirname "$(readlink -f "$0")")/common.sh"
setup tap-ctl reach setpriv unshare jq
log_expect_errors

NOBODY=65534
EPERM=1 ENOENT=2 EACCES=13 ENOTDIR=20 ENOSYS=38
ERRNO_OF_LIST=13

# Who: a user without rights; one that administers the network; root of a user
# namespace of that user, without and with a network namespace of its own.
AS_USER=(setpriv --reuid="$NOBODY" --regid="$NOBODY" --clear-groups --)
user() { "${AS_USER[@]}" "$@"; }
netadmin() {
	setpriv --reuid="$NOBODY" --regid="$NOBODY" --clear-groups --inh-caps=-all,+net_admin \
		--ambient-caps=-all,+net_admin -- "$@"
}
container() { user unshare --user --map-root-user -- "$@"; }
netcontainer() { user unshare --user --map-root-user --net -- "$@"; }
# Root, but for the network namespace.
netroot() { unshare --net -- "$@"; }

# gets TEXT ERRNO COMMAND...: it fails with exactly that, or 0.
gets() {
	local text=$1 want=$2 status
	shift 2
	"$@" >"$WORK/gets" 2>&1
	status=$?
	[ $status -eq "$want" ] || note "$(tail -n 5 "$WORK/gets")"
	same "$text" "$want" $status
}

container true >/dev/null 2>&1 || skip_all "a user cannot make a user namespace here"
create -a ram:1M --serial visible
RING=$NODES/blktap$MINOR
SOCKET=$CONTROL/ctl$PID
chmod 755 "$WORK"

# ------------------------------------------------------------------------ nodes
for who in user netadmin container netcontainer; do
	gets "$who: the ring node" $EACCES $who reach open "$RING"
	gets "$who: the disk" $EACCES $who reach open "$DISK"
done
chmod 666 "$RING"
for who in user netadmin container netcontainer; do
	gets "$who: the ring node, even if its mode permits it" $EPERM $who reach open "$RING"
done
chmod 600 "$RING"
gets "netroot: devices have no network namespace" 0 netroot reach open "$RING"
numbers=$(stat -c '%Hr %Lr' "$RING")
# shellcheck disable=SC2086 # two numbers
check "root: mknod" mknod "$WORK/root" c $numbers
check "root: mounting devtmpfs" unshare --mount mount -t devtmpfs none /mnt
for who in user netadmin container netcontainer; do
	# shellcheck disable=SC2086 # two numbers
	check_not "$who: mknod" $who mknod "$WORK/node" c $numbers
	check_not "$who: mounting devtmpfs" $who unshare --mount mount -t devtmpfs none /mnt
done
chmod 777 "$WORK"
# shellcheck disable=SC2086
check_not "container: mknod where it may make files" container mknod "$WORK/node" c $numbers
chmod 755 "$WORK"

# ---------------------------------------------------------------------- netlink
for who in user netadmin container; do
	gets "$who: netlink, looking" $EPERM $who nl_tool list
	gets "$who: netlink, features" $EPERM $who nl_tool features
	gets "$who: netlink, allocating" $EPERM $who nl_tool new
	gets "$who: netlink, freeing" $EPERM $who nl_tool del "$MINOR"
	gets "$who: netlink, freeing by force" $EPERM $who nl_tool free "$MINOR" force
	gets "$who: netlink, ending a session" $EPERM $who nl_tool end "$MINOR"
	gets "$who: netlink, ending it by force" $EPERM $who nl_tool end "$MINOR" force
	gets "$who: netlink, events" $EPERM $who timeout $((20 * SLOWNESS)) nl_tool events
done
gets "netcontainer: there is no such family" $ENOENT netcontainer nl_tool list
gets "netroot: there is no such family" $ENOENT netroot nl_tool list
check "and the disk is served as before" dd if="$DISK" of=/dev/null bs=64k iflag=direct

# -------------------------------------------------------------- control sockets
for who in user netadmin container netcontainer; do
	gets "$who: the control socket" $EACCES $who timeout $((20 * SLOWNESS)) reach connect "$SOCKET"
	check_not "$who: listing control sockets" $who ls "$CONTROL"
	check_not "$who: making a name among them" $who touch "$CONTROL/ctl1"
done
for who in user netadmin container; do
	gets "$who: tap-ctl list" $ERRNO_OF_LIST $who tap-ctl list
done
gets "netcontainer: tap-ctl list, where there is no driver" $ENOSYS netcontainer tap-ctl list
chmod 755 "$CONTROL"
gets "user: the socket, in a directory that permits it" $EACCES user reach connect "$SOCKET"
chmod 666 "$SOCKET"
for who in user netadmin container netcontainer; do
	gets "$who: the socket, if its mode permits it, connects" 0 $who timeout $((20 * SLOWNESS)) reach connect "$SOCKET"
	check "$who: but is refused" grep -q 'not permitted' "$WORK/gets"
done
chmod 600 "$SOCKET"
chmod 700 "$CONTROL"
gets "user: a connection that he is handed" 0 reach handed "$SOCKET"
check "is answered" grep -q '"result"' "$WORK/gets"

# -------------------------------------------------------------- what can be read
# inside check|check_not TEXT PID: what /proc shows of a process's insides.
inside() {
	local file
	for file in fd fdinfo; do
		$1 "$2: /proc/PID/$file" user ls "/proc/$3/$file"
	done
	for file in maps environ; do
		$1 "$2: /proc/PID/$file" user cat "/proc/$3/$file"
	done
}

SYS=/sys/block/xen!blktap-2!tapdev$MINOR
same "user: the serial can be read, as any disk's" visible "$(user cat "$SYS/serial")"
same "user: so can the pid of the daemon" "$PID" "$(user cat "/sys/class/blktap2/blktap!blktap$MINOR/task")"
check "user: and what buffers take" user cat /sys/module/blktap/parameters/buffers_kib
same "nothing of ours in sysfs can be written by others than root" "" \
	"$(find "$SYS/" "/sys/class/blktap2/blktap!blktap$MINOR/" /sys/module/blktap/ -type f \( -perm /022 -o ! -user root \))"
gets "user: limits cannot be changed" $EACCES user reach write /sys/module/blktap/parameters/total_buffers_mib
check "user: tapdisk's command line can be read" user grep -q tapdisk "/proc/$PID/cmdline"
check_not "and names no image" user grep -q ram:1M "/proc/$PID/cmdline"
background tap-ctl monitor -m 7777
check "user: but that of a tap-ctl can be read" user grep -q 7777 "/proc/$JOB/cmdline"
kill "$JOB"
reap "$JOB"
inside check_not "user: a tapdisk" "$PID"
for dir in /sys/kernel/debug /sys/kernel/tracing/events/blktap; do
	[ ! -d $dir ] || check_not "user: $dir" user ls $dir
done

# ----------------------------------------------------------- what can be handed on
MINE=$(nl_tool new minor=9 queues=1 on_death=0) || die "cannot allocate a tap"
exec 9<>"$NODES/blktap9"
gets "user: is the daemon with a ring descriptor that it is handed" 0 user reach daemon 9
exec 9>&-
gets "user: a queue's descriptor is good for ENTER, FETCH and poll, and leads to nothing else" 0 reach queue 9
must nl_tool del 9

# ------------------------------------------------------------------ other places
outsider=$WORK/outsider
mkdir -p "$outsider/own" "$outsider/open" "$outsider/group"
chown $NOBODY:$NOBODY "$outsider/own"
chmod 1777 "$outsider/open"
chmod 770 "$outsider/group"
ln -s "$CONTROL" "$outsider/link"
unsafe() { env BLKTAP_CONTROL_DIR="$outsider/$1" "${@:2}"; }
for place in own open group; do
	refused "tap-ctl list with control sockets in '$place'" $EACCES 'not safe' unsafe $place tap-ctl list
	refused "tap-ctl spawn" 1 'not safe' unsafe $place tap-ctl spawn
	refused "tap-ctl attach" $EACCES 'not safe' unsafe $place tap-ctl attach -p "$PID" -m 0
	refused "tap-ctl create" $EACCES 'not safe' unsafe $place tap-ctl create -a ram:1M
	check_not "tapdisk itself" unsafe $place timeout $((10 * SLOWNESS)) "$(readlink -f "/proc/$PID/exe")" -D
done
refused "a link to a place" $ENOTDIR 'Not a directory' unsafe link tap-ctl list
check_not "tapdisk itself" unsafe link timeout $((10 * SLOWNESS)) "$(readlink -f "/proc/$PID/exe")" -D
same "nothing was made there" "" "$(find "$outsider" -mindepth 2)"

# A name of another user in the right place: only root can have put it there.
stale() { python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$1"; }
if type -P python3 >/dev/null; then
	stale "$CONTROL/ctl4194303"
	chown $NOBODY "$CONTROL/ctl4194303"
	same "a stale socket of another user is no tapdisk" "pid=$PID minor=$MINOR state=0 args=ram:1M" "$(tap-ctl list)"
	check_not "and is swept" test -e "$CONTROL/ctl4194303"
else
	skip "a stale socket of another user" "needs python3"
fi
check "destroy" destroy

# ---------------------------------------------- a tapdisk with a user, and that user
YAMA=/proc/sys/kernel/yama/ptrace_scope
# hold_of TEXT ERRNO ERRNO_OF_MEMORY PID: what the user's processes get of each other.
hold_of() {
	gets "$1: tracing it" "$2" user reach trace "$4"
	gets "$1: its memory" "$2" user reach read "$4"
	gets "$1: its descriptors, by number" "$2" user reach steal "$4"
	gets "$1: /proc/PID/mem" "$3" user reach open "/proc/$4/mem"
}
stopped() { grep -q '^State:.[Tt]' "/proc/$PID/status"; }

scope=$(cat $YAMA 2>/dev/null || echo 0)
[ "$scope" = 0 ] || echo 0 >$YAMA
background "${AS_USER[@]}" sleep 1000
sleeper=$JOB
wait_for 10 grep -q '^sleep' "/proc/$sleeper/comm"
hold_of "user: another process of his" 0 0 "$sleeper"
inside check "user: another process of his" "$sleeper"
kill "$sleeper"
reap "$sleeper"
if tap-ctl create --user nobody -a ram:1M --serial confined >"$WORK/created" 2>&1; then
	DISK=$(cat "$WORK/created")
	MINOR=${DISK##*tapdev}
	PID=$(pid_of "$MINOR")
	same "a tapdisk of that user" $NOBODY "$(sed -n 's/^Uid:\t\([0-9]*\)\t.*/\1/p' "/proc/$PID/status")"
	hold_of "user: his tapdisk" $EPERM $EACCES "$PID"
	inside check_not "user: his tapdisk" "$PID"
	gets "user: its control socket" $EACCES user reach connect "$CONTROL/ctl$PID"
	check "user: may stop it" user kill -STOP "$PID"
	check "which stops it" wait_for 10 stopped
	check "user: may have it go on" user kill -CONT "$PID"
	check "and it does" dd if="$DISK" of=/dev/null bs=64k iflag=direct
	check "user: may kill it" user kill -KILL "$PID"
	check "which does" wait_for 10 job_gone "$PID"
	check "and the disk is recovered" tap-ctl recover -m "$MINOR" -a ram:1M
	PID=$(pid_of "$MINOR")
	check "destroy" destroy

	# What root is to open for it, in the place of an image.
	mkdir "$WORK/his"
	must truncate -s 1M "$WORK/his/disk.img" "$WORK/secret.img"
	chmod 600 "$WORK/his/disk.img" "$WORK/secret.img"
	chown -R $NOBODY "$WORK/his"
	create --user nobody --hold-time 120 -a "aio:$WORK/his/disk.img"
	check "user: may replace an image of his by a link" user ln -sf ../secret.img "$WORK/his/disk.img"
	must user kill -KILL "$PID"
	wait_for 10 job_gone "$PID"
	refused "but root does not follow it for his tapdisk" $EACCES "$WORK/his is nobody's: nothing in it is opened" \
		tap-ctl recover -m "$MINOR" -a "aio:$WORK/his/disk.img"
	chown root "$WORK/his"
	chmod 775 "$WORK/his"
	refused "nor where others may write" $EACCES "$WORK/his may be written by others" \
		tap-ctl recover -m "$MINOR" -a "aio:$WORK/his/disk.img"
	chmod 1777 "$WORK/his"
	refused "nor a link of his where all may" $EACCES "who may have made disk.img" \
		tap-ctl recover -m "$MINOR" -a "aio:$WORK/his/disk.img"
	chmod 755 "$WORK/his"
	check "one that root has put there is followed" tap-ctl recover -m "$MINOR" -a "aio:$WORK/his/disk.img"
	PID=$(pid_of "$MINOR")
	check "destroy" destroy
	must tap-ctl list	# sweeps what it listened on
elif grep -q AddressSanitizer "$WORK/created"; then
	skip "a tapdisk of that user" "not with AddressSanitizer"
else
	fail "create --user: $(cat "$WORK/created")"
fi
[ "$scope" = 0 ] || echo "$scope" >$YAMA

# --------------------------------------------------------------------- the module
check "the module can be unloaded" wait_for 20 rmmod blktap
gets "user: asks for the family" $EPERM user nl_tool list
check "and that loads the module, as with any family" test -d /sys/module/blktap

finish
