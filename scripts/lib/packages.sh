# SPDX-License-Identifier: GPL-2.0-only
# The Debian packages of the host, by what they are for.
# shellcheck shell=bash

packages_of() {
	case $1 in
	build)	# the programs
		echo gcc libc6-dev make pkg-config libnl-3-dev libnl-genl-3-dev libjansson-dev libaio-dev \
			libseccomp-dev libcap-dev libsystemd-dev
		;;
	unit)	# their tests (the sanitizers come with gcc)
		echo libcmocka-dev
		;;
	coverage)	# what the tests run of the programs
		echo gcovr python3
		;;
	fuzz)	# the fuzz targets
		echo clang libclang-rt-14-dev
		;;
	module)	# the module, with the headers of scripts/lib/kernels.sh
		echo gcc-12 libc6-dev make rsync libelf1 kmod
		;;
	vm)	# file systems and machine of the guest
		echo qemu-system-x86 mmdebstrap debian-archive-keyring ca-certificates squashfs-tools \
			busybox-static cpio gzip e2fsprogs kmod rsync util-linux
		;;
	lint)
		echo shellcheck sparse perl-base xz-utils git gcc libc6-dev python3 python3-yaml python3-jsonschema \
			mandoc zsh cppcheck clang
		;;
	kselftest)
		echo rsync xz-utils
		;;
	bench)	# servers to compare with, and the report
		echo gcc libc6-dev xz-utils python3
		;;
	debug-kernel)
		echo gcc libc6-dev make bc flex bison libelf-dev libssl-dev xz-utils rsync cpio perl-base \
			python3-minimal kmod
		;;
	*)
		die "no group of packages is called '$1'"
		;;
	esac
}

# missing PACKAGE...: those that are not installed.
missing() {
	local package
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			echo "$package"
	done
}

# need_packages GROUP...: install what the groups lack.
need_packages() {
	local group lacking=()
	[ -e /etc/debian_version ] || die "this needs Debian 12; on other systems read Documentation/testing.md"
	for group; do
		# shellcheck disable=SC2046 # a list of words
		mapfile -t -O ${#lacking[@]} lacking < <(missing $(packages_of "$group"))
	done
	[ ${#lacking[@]} -gt 0 ] || return 0
	mapfile -t lacking < <(printf '%s\n' "${lacking[@]}" | sort -u)
	need_root "installing ${lacking[*]}"
	note "installing ${lacking[*]}"
	with_lock packages install_packages "${lacking[@]}"
}

install_packages() {
	local log
	log=$(mktemp)
	quietly "$log" apt_get update
	quietly "$log" apt_get install "$@"
	rm -f "$log"
}

apt_get() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
		-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}
