#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The names that udev gives to disks and their partitions.
. "$(dirname "$(readlink -f "$0")")/common.sh"
PATH=$PATH:/usr/lib/systemd:/lib/systemd
setup udevadm systemd-udevd mkfs.ext4 sfdisk blkid

RULES=/run/udev/rules.d/60-blktap.rules
LINKS=/dev/disk
UUID=00112233-4455-6677-8899-00aabbccddff

# A udev that runs already is used, and left as it is but for our rules.
start_udev() {
	STARTED=''
	mkdir -p "${RULES%/*}"
	cp "$HERE/60-blktap.rules" "$RULES"
	if udevadm control --reload 2>/dev/null; then
		return
	fi
	STARTED=1
	background systemd-udevd
	UDEVD=$JOB
	wait_for 20 udevadm control --ping || die "udev does not start"
}

stop_udev() {
	rm -f "$RULES"
	if [ -z "$STARTED" ]; then
		udevadm control --reload
		return
	fi
	udevadm control --exit
	reap "$UDEVD"
	rm -rf /run/udev
	find "$LINKS" -depth -type d -exec rmdir --ignore-fail-on-non-empty {} + 2>/dev/null
}

leads() { [ "$(readlink -f "$LINKS/$1")" = "$2" ]; }
gone() { [ ! -L "$LINKS/$1" ]; }

# named TARGET LINK...: these links lead there, soon.
named() {
	local target=$1 link
	shift
	for link; do
		check "$link" wait_for 15 leads "$link" "$target"
	done
}

# nameless TEXT LINK...
nameless() {
	local text=$1 link
	shift
	for link; do
		check "$link $text" wait_for 15 gone "$link"
	done
}

settle() { udevadm settle --timeout=20; }

start_udev
serve "serial=disk-7 uuid=${UUID//-/}" --size 64M
named "$DISK" by-id/blktap-disk-7 "by-id/blktap-uuid-$UUID"
must settle

must mkfs.ext4 -q -L tap-label -U "$UUID" "$DISK"
named "$DISK" by-label/tap-label "by-uuid/$UUID"
same "the file system is a property" ext4 "$(udevadm info -q property --property=ID_FS_TYPE --value "$DISK")"
must settle

printf 'label: gpt\nname="part one", uuid=%s, size=16M\nsize=16M\n' "$UUID" >"$WORK/table"
must wipefs -q -a "$DISK"
must sfdisk -q "$DISK" <"$WORK/table"
named "${DISK}p1" by-id/blktap-disk-7-part1 "by-id/blktap-uuid-$UUID-part1" "by-partuuid/$UUID" \
	'by-partlabel/part\x20one'
named "${DISK}p2" by-id/blktap-disk-7-part2
nameless "goes with the file system" by-label/tap-label "by-uuid/$UUID"
must mkfs.ext4 -q -L part-label "${DISK}p2"
named "${DISK}p2" by-label/part-label
named "$DISK" by-id/blktap-disk-7

same "the ring node is left alone" "" "$(udevadm info -q property "$NODES/blktap$MINOR" | grep -E '^(DEVLINKS|ID_)')"
must settle
unserve
nameless "goes with the disk" by-id/blktap-disk-7 by-id/blktap-disk-7-part1 by-id/blktap-disk-7-part2 \
	"by-id/blktap-uuid-$UUID" "by-partuuid/$UUID" 'by-partlabel/part\x20one' by-label/part-label

# A copy of what the machine has: a loop device stands for it.
if [ -e /lib/udev/rules.d/60-persistent-storage.rules ] && modprobe -q loop; then
	image original.img 64M
	must mkfs.ext4 -q -L tap-label -U "$UUID" "$IMAGE"
	LOOP=$(losetup -f --show "$IMAGE")
	named "$LOOP" by-label/tap-label "by-uuid/$UUID"
	serve "serial=disk-8" --size 64M
	must settle
	must mkfs.ext4 -q -L tap-label -U "$UUID" "$DISK"
	named "$DISK" by-id/blktap-disk-8
	must settle
	same "the tap could have that name, too" "tap-label" "$(udevadm info -q property --property=ID_FS_LABEL --value "$DISK")"
	check "but it stays with the other disk" leads by-label/tap-label "$LOOP"
	check "by UUID, too" leads "by-uuid/$UUID" "$LOOP"
	unserve
	must losetup -d "$LOOP"
	must settle
else
	skip "a tap takes no names away" "no rules for other disks, or no loop devices"
fi

serve "serial=../../x/y" --size 1M
must settle
same "a serial that is a path names nothing" "" "$(udevadm info -q symlink "$DISK" | grep -o 'by-id[^ ]*')"
unserve

stop_udev
finish
