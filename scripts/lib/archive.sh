# SPDX-License-Identifier: GPL-2.0-only
# Packages of other Debian suites than the host's, through an apt of our own:
# its sources are derived from the host's, which stay as they are.
# shellcheck shell=bash

# host_archive LABEL: the address of the archive with that label, such as
# Debian-Security, that the host itself uses for Debian 12.
host_archive() {
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(LABEL)|$(CODENAME)|$(REPO_URI)' |
		awk -F'|' -v label="$1" '$1 == label && $2 ~ /^bookworm/ { sub("/$", "", $3); print $3; exit }'
}

# mirror: where the host gets Debian from.
mirror() {
	local site
	site=$(host_archive Debian)
	if [ -z "$site" ]; then
		apt_get update >/dev/null 2>&1 || true
		site=$(host_archive Debian)
	fi
	[ -n "$site" ] || die "apt knows no archive of Debian 12; see what 'apt-get update' says"
	echo "$site"
}

# sources SUITE...: deb lines for these suites.
sources() {
	local suite base security
	base=$(mirror)
	security=$(host_archive Debian-Security)
	for suite in "$@"; do
		case $suite in
		*-security)
			[ -z "$security" ] || echo "deb [signed-by=$(keyring)] $security $suite main"
			;;
		*)
			echo "deb [signed-by=$(keyring)] $base $suite main"
			;;
		esac
	done
}

keyring() { echo /usr/share/keyrings/debian-archive-keyring.gpg; }

# archive_suites NAME: the suites a kernel comes from, or Debian 13 itself.
archive_suites() {
	case $1 in
	6.1) echo bookworm bookworm-security ;;
	6.12) echo bookworm-backports ;;
	7.3) echo trixie-backports ;;
	trixie) echo trixie ;;
	esac
}

# archive_apt NAME COMMAND...: apt-get or apt-cache over these suites alone.
archive_apt() {
	local dir=$CACHE/apt/$1 command=$2
	shift 2
	"$command" -qq -o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State="$dir/state" -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" \
		-o APT::Sandbox::User=root -o APT::Default-Release= -o Acquire::Retries=3 \
		-o Acquire::Languages=none -o Dir::Cache::pkgcache=pkgcache.bin -o APT::Get::List-Cleanup=false "$@"
}

# archive_update NAME: fetch the package lists of these suites.
archive_update() {
	local dir=$CACHE/apt/$1 suites
	read -ra suites <<<"$(archive_suites "$1")"
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	sources "${suites[@]}" >"$dir/sources.list"
	quietly "$dir/update.log" archive_apt "$1" apt-get update
}

# archive_depends NAME PACKAGE: the packages it depends on, the first of alternatives.
archive_depends() {
	archive_apt "$1" apt-cache show --no-all-versions "$2" |
		sed -n 's/^\(Pre-\)\?Depends: *//p' | tr ',' '\n' | sed 's/^ *//; s/[ |:].*//'
}

# archive_closure NAME PATTERN PACKAGE: the package, and what it needs among
# packages that match, as deep as that goes.
archive_closure() {
	local name=$1 pattern=$2 todo=("$3") seen=" " package
	while [ ${#todo[@]} -gt 0 ]; do
		package=${todo[0]}
		todo=("${todo[@]:1}")
		[[ $seen != *" $package "* ]] || continue
		seen+="$package "
		echo "$package"
		mapfile -t -O ${#todo[@]} todo < <(archive_depends "$name" "$package" | grep -E "$pattern")
	done
}

# archive_fetch NAME DIR PACKAGE...: the packages unpacked in DIR.
archive_fetch() {
	local name=$1 dir=$2 deb
	shift 2
	mkdir -p "$dir/.deb"
	(cd "$dir/.deb" && quietly "$dir/.deb/log" archive_apt "$name" apt-get download "$@")
	for deb in "$dir"/.deb/*.deb; do
		dpkg-deb -x "$deb" "$dir"
	done
	rm -rf "$dir/.deb"
}

# bootstrap SUITE DIR PACKAGE...: these packages and what they need, unpacked
# and not configured, which is all that a compiler or a guest of ours needs.
bootstrap() {
	local suite=$1 dir=$2
	shift 2
	quietly "$CACHE/bootstrap-$suite.log" mmdebstrap --variant=extract --mode=root \
		--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --skip=check/empty \
		--keyring="$(keyring)" --include="$(IFS=,; echo "$*")" \
		"$suite" "$dir" "$(sources "$suite" | sed 's/\[[^]]*\] //')"
	ln -sf dash "$dir/usr/bin/sh"
	ln -sf gawk "$dir/usr/bin/awk"
	cp "$dir/usr/share/base-passwd/passwd.master" "$dir/etc/passwd"
	cp "$dir/usr/share/base-passwd/group.master" "$dir/etc/group"
	ldconfig -r "$dir"
}
