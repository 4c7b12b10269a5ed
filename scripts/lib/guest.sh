# SPDX-License-Identifier: GPL-2.0-only
# What runs in the virtual machine: a Debian 12 userland that all kernels
# share, and the payload that each run brings along.
# shellcheck shell=bash

GUEST_PACKAGES=(base-files base-passwd bash bsdutils coreutils dash dbus diffutils dmsetup
	e2fsprogs fdisk file findutils fio gawk grep gzip hostname iproute2 jq kmod libaio1
	libasan8 libc-bin libcap2 libcap2-bin libjansson4 libnl-3-200 libnl-genl-3-200 libseccomp2
	libsystemd0 libubsan1 login lsof lvm2 make mount nbd-client ncurses-base netbase parted passwd
	perl-base procps psmisc python3 python3-jsonschema python3-yaml qemu-utils rsync sed
	strace systemd tar udev util-linux util-linux-extra xfsprogs xz-utils)

# need_guest: have the userland's image in the cache.
need_guest() {
	[ ! -e "$(guest_dir)/rootfs.squashfs" ] || return 0
	need_root "unpacking a Debian userland for the virtual machine"
	need_packages vm
	with_lock guest make_guest
}

# Other packages, or another way to unpack them, are another image.
guest_dir() {
	echo "$CACHE/guest-$({ echo "${GUEST_PACKAGES[*]}"; declare -f make_guest bootstrap; } | sha256sum | cut -c 1-12)"
}

make_guest() {
	local start=$SECONDS name dir
	[ ! -e "$(guest_dir)/rootfs.squashfs" ] || return 0
	note "unpacking a Debian userland for the virtual machine"
	name=$(basename "$(guest_dir)")
	dir=$(fresh_dir "$name")
	bootstrap bookworm "$dir/root" "${GUEST_PACKAGES[@]}"
	mkdir -p "$dir"/root/{blktap,home,media,mnt,opt,srv,var/lib,var/log,var/tmp}
	echo blktap >"$dir/root/etc/hostname"
	printf '127.0.0.1 localhost blktap\n' >"$dir/root/etc/hosts"
	ln -sf /proc/self/mounts "$dir/root/etc/mtab"
	quietly "$dir/mksquashfs.log" mksquashfs "$dir/root" "$dir/rootfs.squashfs" \
		-comp zstd -Xcompression-level 1 -noappend \
		-e "$dir/root/var/lib/dpkg" "$dir/root/var/cache"
	rm -rf "$dir/root"
	settle "$name"
	note "the userland is ready after $((SECONDS - start)) s"
}

# payload_programs DIR [VARIABLE=VALUE]: build, one way or another, and install the programs.
payload_programs() {
	local dir=$1
	shift
	make -s -C "$TOP" "$@" DESTDIR="$dir" PREFIX=/usr install
}

# payload_module DIR KERNEL: build and install the module.
payload_module() {
	local to
	to=$1/usr/lib/modules/$(kernel_release "$2")/updates
	build_module "$2"
	mkdir -p "$to"
	cp "$TOP/build/kernel-$2/"*.ko "$to/"
}

# payload_selftests DIR: build and install the selftests, and beside them the
# netlink client of the kernel's source.
payload_selftests() {
	[ -e "$TOP/selftests/Makefile" ] || return 0
	mkdir -p "$TOP/build/selftests"
	make -s -C "$TOP/selftests" OUTPUT="$TOP/build/selftests" all
	make -s -C "$TOP/selftests" OUTPUT="$TOP/build/selftests" INSTALL_PATH="$1/blktap/selftests" install
	cp -r "$(source_dir)/tools/net/ynl" "$1/blktap/selftests/"
}

# pack_payload DIR IMAGE: a tar file that the guest sees as a disk. Directories
# that are links in the guest's userland must not arrive as directories.
pack_payload() {
	tar -C "$1" --owner=0 --group=0 -cf "$2" .
}
