# SPDX-License-Identifier: GPL-2.0-only
# The kernels we build for and boot. Each one is a folder of the cache, see kernel_dir:
#   release           what uname -r says in it
#   vmlinuz           to boot
#   boot.cpio.gz      what its initramfs needs, in the order of boot.modules
#   modules.squashfs  usr/lib/modules/RELEASE for the guest
#   build             the folder to build modules against
#   chroot            for 7.3: where its compiler and build tools run
# shellcheck shell=bash

ARCHIVE_KERNELS=(6.1 6.12 7.3)
# Those of scripts/debug-kernel, which watch themselves.
WATCHING_KERNELS=(debug kcsan)

# What the guest needs before it has its file system, and what it gets to use.
BOOT_MODULES=(virtio_pci virtio_blk virtio_console squashfs overlay)
GUEST_MODULES=("${BOOT_MODULES[@]}" virtio_rng ext4 xfs btrfs vfat nls_ascii nls_cp437 fuse loop brd
	nbd null_blk ublk_drv dm_mod dm_flakey dm_delay dm_log_writes dm_snapshot scsi_debug sd_mod
	target_core_user target_core_iblock tcm_loop nvme crc32c_generic crc32c_intel configfs kyber-iosched
	bfq autofs4 blktap)

# Other modules for the guest, or other options, are another folder.
kernel_dir() {
	echo "$CACHE/kernel-$1-$({ echo "${GUEST_MODULES[*]}"; options_of "$1"; } | sha256sum | cut -c 1-8)"
}

# options_of KERNEL: what is configured, of one that is built here.
options_of() {
	! is_watching "$1" || cat "$TOP/scripts/small.config" "$TOP/scripts/$1.config"
}

is_watching() {
	[[ " ${WATCHING_KERNELS[*]} " == *" $1 "* ]]
}

kernel_release() { cat "$(kernel_dir "$1")/release"; }

known_kernel() {
	[[ " ${ARCHIVE_KERNELS[*]} ${WATCHING_KERNELS[*]} " == *" $1 "* ]] ||
		die "no kernel is called '$1'; there are ${ARCHIVE_KERNELS[*]} ${WATCHING_KERNELS[*]}"
}

# need_kernel NAME: have it in the cache.
need_kernel() {
	known_kernel "$1"
	if is_watching "$1"; then
		"$TOP/scripts/debug-kernel" "$1"
	elif [ ! -e "$(kernel_dir "$1")/build" ]; then
		need_root "unpacking Linux $1"
		need_packages vm module
		with_lock "kernel-$1" fetch_kernel "$1"
	fi
}

fetch_kernel() {
	local name=$1 start=$SECONDS dir image headers
	[ ! -e "$(kernel_dir "$name")/build" ] || return 0
	note "fetching Debian's Linux $name"
	archive_update "$name"
	dir=$(fresh_dir "$(basename "$(kernel_dir "$name")")")
	mapfile -t image < <(archive_closure "$name" '^linux-(image|binary|modules|base)-[0-9]' linux-image-amd64)
	[[ ${image[1]:-} == linux-image-$name.* ]] ||
		die "Debian's $(archive_suites "$name") now has ${image[1]:-no kernel} where Linux $name was; update scripts/lib/kernels.sh"
	archive_fetch "$name" "$dir/image" "${image[@]:1}"
	echo "${image[1]#linux-image-}" >"$dir/release"
	mv "$(find "$dir/image" -name 'vmlinuz*' -type f)" "$dir/vmlinuz"
	pack_modules "$dir" "$dir/image"
	rm -rf "$dir/image"

	mapfile -t headers < <(archive_closure "$name" '^linux-(headers|kbuild|base)-[0-9]' linux-headers-amd64)
	if [ "$name" = 7.3 ]; then
		bootstrap trixie "$dir/chroot" dash bash coreutils sed grep gawk findutils diffutils \
			base-passwd libc-bin dpkg make gcc-14 libelf1t64
		archive_fetch "$name" "$dir/chroot" "${headers[@]:1}"
		ln -s "chroot/usr/src/${headers[1]}" "$dir/build"
	else
		archive_fetch "$name" "$dir/headers" "${headers[@]:1}"
		relocate_headers "$dir/headers"
		ln -s "headers/usr/src/${headers[1]}" "$dir/build"
	fi
	settle "$(basename "$(kernel_dir "$name")")"
	note "Linux $(kernel_release "$name") is ready after $((SECONDS - start)) s"
}

# relocate_headers DIR: Debian's header packages name each other by absolute
# paths; let them be found from where they are.
relocate_headers() {
	local makefile
	for makefile in "$1"/usr/src/linux-headers-*-amd64/Makefile; do
		# shellcheck disable=SC2016 # make expands this
		sed -i 's|/usr/src/|$(dir $(realpath $(lastword $(MAKEFILE_LIST))))../|' "$makefile"
	done
}

# pack_modules DIR ROOT: from the modules below ROOT make the images of DIR.
pack_modules() {
	local dir=$1 root=$2 release
	release=$(cat "$dir/release")
	if [ ! -L "$root/lib" ]; then
		mkdir -p "$root/usr/lib"
		[ ! -d "$root/lib/modules" ] || mv "$root/lib/modules" "$root/usr/lib/"
		rm -rf "${root:?}/lib"
		ln -s usr/lib "$root/lib"
	fi
	depmod -b "$root" "$release"
	select_modules "$root" "$release" "${GUEST_MODULES[@]}" >"$dir/guest.modules"
	copy_modules "$root" "$dir/tree/usr/lib/modules/$release" "$release" "$dir/guest.modules"
	ln -s usr/lib "$dir/tree/lib"
	depmod -b "$dir/tree" "$release"

	select_modules "$dir/tree" "$release" "${BOOT_MODULES[@]}" >"$dir/boot.modules"
	pack_boot "$dir" "$dir/tree/usr/lib/modules/$release"
	rm "$dir/tree/lib"
	quietly "$dir/mksquashfs.log" mksquashfs "$dir/tree" "$dir/modules.squashfs" \
		-comp zstd -Xcompression-level 1 -all-root -noappend
	rm -rf "$dir/tree" "$dir"/*.log
}

# select_modules ROOT RELEASE NAME...: files of these modules and of what they
# need, below the folder of the release. A kernel may lack some.
select_modules() {
	local root=$1 release=$2 name
	shift 2
	for name; do
		modprobe -d "$root" -S "$release" --show-depends "$name" 2>/dev/null || true
	done | sed -n "s|^insmod .*/modules/$release/\([^ ]*\).*|\1|p" | awk '!seen[$0]++'
}

# copy_modules ROOT TO RELEASE LIST: the listed modules, uncompressed: what
# loads them in the guest is slow enough.
copy_modules() {
	local from=$1/usr/lib/modules/$3 to=$2 list=$4
	mkdir -p "$to"
	(cd "$from" && cp --parents -t "$to" modules.builtin* modules.order && xargs -r cp --parents -t "$to" <"$list")
	find "$to" -name '*.ko.xz' -exec xz -d {} +
	find "$to" -name '*.ko.zst' -exec zstd -q -d --rm {} +
}

# pack_boot DIR MODULES: busybox and the modules that lead to the root file system.
pack_boot() {
	local dir=$1 modules=$2 init=$1/initramfs module
	mkdir -p "$init"/{bin,modules,proc,sys,dev,image,modimage,rw,root}
	cp /bin/busybox "$init/bin/"
	while read -r module; do
		cp "$modules/$module" "$init/modules/"
		echo "${module##*/}"
	done <"$dir/boot.modules" >"$init/modules/order"
	(cd "$init" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$dir/boot.cpio.gz"
	rm -rf "$init"
}

# build_module NAME: a build of kernel/ for that kernel, from a copy of its own,
# so that no two builds disturb each other; who wants the same one waits.
build_module() {
	local fd
	mkdir -p "$TOP/build/kernel-$1"
	exec {fd}>"$TOP/build/kernel-$1.lock"
	flock "$fd"
	compile_module "$1"
	exec {fd}>&-
}

# compile_module NAME: warnings are errors.
compile_module() {
	local name=$1 copy=$TOP/build/kernel-$1 log=$TOP/build/kernel-$1.log
	rsync -a --delete --exclude='*.mod.c' --include='*/' --include='*.[chS]' --include=Kbuild \
		--include=Makefile --include=Kconfig --exclude='*' "$TOP/kernel/" "$copy/"
	if ! module_make "$name" "$copy" modules >"$log" 2>&1; then
		cat "$log" >&2
		die "the module does not build for Linux $name"
	fi
	# pahole, which we do without, is the only one that may differ.
	if grep -v 'pahole version differs' "$log" | grep -iE '\bwarning\b' >&2; then
		rm -f "$copy"/*.ko
		die "the module builds for Linux $name only with warnings (all of it: $log)"
	fi
}

# module_make NAME DIR ARGS...: make with the kernel's own build system.
# Type information for BPF is left out: it needs a vmlinux and pahole.
module_make() {
	local name=$1 copy=$2 dir
	shift 2
	dir=$(kernel_dir "$name")
	if [ -d "$dir/chroot" ]; then
		in_chroot "$dir/chroot" "$copy" "/$(readlink "$dir/build" | cut -d/ -f2-)" "$@"
	else
		make -j"$(nproc)" -C "$dir/build" M="$copy" CONFIG_DEBUG_INFO_BTF_MODULES= "$@"
	fi
}

in_chroot() {
	local chroot=$1 copy=$2 kdir=$3
	shift 3
	need_root "building in the toolchain of Debian 13"
	mkdir -p "$chroot/blktap"
	# shellcheck disable=SC2016 # for the shell inside
	unshare -m --propagation private sh -euc '
		mount --bind "$1" "$2/blktap"
		mount --bind /dev "$2/dev"
		mount -t proc proc "$2/proc"
		shift 2
		exec "$@"' sh "$copy" "$chroot" \
		chroot "$chroot" make -j"$(nproc)" -C "$kdir" M=/blktap CONFIG_DEBUG_INFO_BTF_MODULES= "$@"
}
