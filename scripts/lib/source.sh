# SPDX-License-Identifier: GPL-2.0-only
# The few files of Debian's linux-source-6.12 that the checks use: checkpatch,
# the frame of the kernel's own selftests, the schemas of netlink families and
# the tools that read them.
# shellcheck shell=bash

SOURCE_FILES=('*/Makefile' '*/scripts/checkpatch.pl' '*/scripts/spelling.txt'
	'*/scripts/const_structs.checkpatch' '*/scripts/subarch.include'
	'*/tools/testing/selftests/Makefile' '*/tools/testing/selftests/*.mk'
	'*/tools/testing/selftests/*.sh' '*/tools/testing/selftests/*.h'
	'*/tools/testing/selftests/kselftest/*'
	'*/Documentation/netlink/*.yaml' '*/tools/net/ynl/*.py' '*/tools/net/ynl/lib/*.py')

# Other files are another folder.
source_dir() {
	echo "$CACHE/source-6.12-$(echo "${SOURCE_FILES[*]}" | sha256sum | cut -c 1-12)"
}

need_source() {
	[ ! -d "$(source_dir)" ] || return 0
	need_root "unpacking parts of the kernel's source"
	need_packages lint vm kselftest
	with_lock source-6.12 fetch_source
}

fetch_source() {
	local name dir
	[ ! -d "$(source_dir)" ] || return 0
	note "fetching parts of the kernel's source"
	archive_update 6.12
	name=$(basename "$(source_dir)")
	dir=$(fresh_dir "$name")
	archive_fetch 6.12 "$dir/.package" linux-source-6.12
	tar -C "$dir" --strip-components=1 --wildcards --no-wildcards-match-slash \
		-xf "$dir/.package/usr/src/linux-source-6.12.tar.xz" \
		"${SOURCE_FILES[@]}"
	rm -rf "$dir/.package"
	settle "$name"
}
