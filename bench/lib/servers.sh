# SPDX-License-Identifier: GPL-2.0-only
# Servers of other block devices, for the guest: kublk, the server of the
# kernel's ublk selftests, and nbdkit. Neither is installed on the host.
# shellcheck shell=bash

KUBLK_KERNEL=7.3
SERVER_PACKAGES=("linux-source-$KUBLK_KERNEL" linux-libc-dev)
NBDKIT_PLUGINS=(memory null)

# need_servers: have them in the cache.
need_servers() {
	[ ! -d "$(servers_dir)" ] || return 0
	need_root "unpacking servers to compare with"
	with_lock bench make_servers
}

# Other ways to make them make another folder. Its last component is its name
# in the guest.
servers_dir() {
	echo "$CACHE/bench-$({ declare -p SERVER_PACKAGES NBDKIT_PLUGINS; declare -f make_servers make_kublk make_nbdkit; } |
		sha256sum | cut -c 1-12)/servers"
}

make_servers() {
	local name dir
	[ ! -d "$(servers_dir)" ] || return 0
	note "fetching and building servers to compare with"
	name=$(basename "$(dirname "$(servers_dir)")")
	dir=$(fresh_dir "$name")
	mkdir "$dir/servers"
	make_kublk "$dir/kublk" "$dir/servers"
	make_nbdkit "$dir/nbdkit" "$dir/servers"
	rm -rf "$dir/kublk" "$dir/nbdkit"
	settle "$name"
}

# make_kublk DIR TO: with the kernel's own headers, and with the liburing of
# Debian 13, linked statically: that of Debian 12 is too old.
make_kublk() {
	local dir=$1 to=$2 ublk=tools/testing/selftests/ublk sources
	archive_update "$KUBLK_KERNEL"
	archive_fetch "$KUBLK_KERNEL" "$dir" "${SERVER_PACKAGES[@]}"
	archive_update trixie
	archive_fetch trixie "$dir" liburing-dev
	tar -C "$dir" --strip-components=1 --wildcards -xf "$dir/usr/src/linux-source-$KUBLK_KERNEL.tar.xz" "*/$ublk/*.[ch]"
	mapfile -t sources < <(find "$dir/$ublk" -name '*.c' ! -name metadata_size.c)
	quietly "$dir/log" gcc -O3 -D_GNU_SOURCE -isystem "$dir/usr/include/x86_64-linux-gnu" \
		-isystem "$dir/usr/include" -o "$to/kublk" "${sources[@]}" \
		"$dir/usr/lib/x86_64-linux-gnu/liburing.a" -lpthread -lm
}

# make_nbdkit DIR TO: of the release that the guest runs. The plug-ins need
# nothing but libraries that are there.
make_nbdkit() {
	local dir=$1 to=$2 plugin
	archive_update 6.1
	archive_fetch 6.1 "$dir" nbdkit
	cp "$(find "$dir" -path '*bin/nbdkit')" "$to/"
	for plugin in "${NBDKIT_PLUGINS[@]}"; do
		cp "$(find "$dir" -name "nbdkit-$plugin-plugin.so")" "$to/"
	done
}
