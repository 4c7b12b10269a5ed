# SPDX-License-Identifier: GPL-2.0-only
# Static analysis: what runs each analyzer, and what becomes of its findings. A
# finding is an error, unless scripts/static/known explains it; and an explanation
# of what is not found any more is an error, too.
# shellcheck shell=bash

KNOWN=$TOP/scripts/static/known

# Not all that clang has on security: most of it is advice to use functions that
# glibc does not have.
CHECKERS=core,unix,deadcode,nullability,optin.portability,security.FloatLoopCounter,security.insecureAPI.mktemp
# In the kernel, whose functions are not those of a C library:
CHECKERS_KERNEL=core,unix.Malloc,deadcode

# What would be its successor, readdir_r, is the one that is deprecated.
CPPCHECK_IGNORE=(readdirCalled)

# user_flags: the words of the Makefile's flags that a reader of sources needs, and
# what the selftests have.
user_flags() {
	mapfile -t flags < <(make -s --no-print-directory -C "$TOP" print-flags WERROR=0 | xargs -n 1)
	flags+=(-Itapdisk -Iselftests)
}

# findings TOOL FILE: "TOOL FILE ID: TEXT" for each place that a log names in the
# form of gcc, without the number of the line, which changes too often to be known by.
findings() {
	awk -v tool="$1" -v top="$TOP/" 'match($0, /^[^ :]+:[0-9]+:[0-9]+: (warning|error): /) && !seen[$0]++ {
			file = $0
			sub(/:.*/, "", file)
			if (index(file, top) == 1) file = substr(file, length(top) + 1)
			text = substr($0, RLENGTH + 1)
			id = "error"
			if (match(text, / \[[^][ ]+\]$/)) {
				id = substr(text, RSTART + 2, RLENGTH - 3)
				text = substr(text, 1, RSTART - 1)
			}
			print tool " " file " " id ": " text
		}' "$2" | sort
}

# known_findings TOOL: those with an explanation, which is the comment above them.
known_findings() {
	awk -v tool="$1" '/^#/ { explained = 1; next }
		/^$/ { explained = 0; next }
		!explained { print FILENAME ":" FNR ": this has no explanation" > "/dev/stderr"; exit 1 }
		$1 == tool' "$KNOWN" | sort
}

# judge TOOL LOG: an error for what is found and not known, and the other way round.
judge() {
	local tool=$1 log=$2 found known new stale
	found=$(findings "$tool" "$log")
	known=$(known_findings "$tool")
	new=$(comm -23 <(echo "$found") <(echo "$known"))
	stale=$(comm -13 <(echo "$found") <(echo "$known"))
	if [ -n "$new" ]; then
		echo "$new"
		note "$tool: mend this, or explain it in ${KNOWN#"$TOP"/}; all that was said is in $log"
	fi
	if [ -n "$stale" ]; then
		echo "$stale"
		note "$tool: this is not found any more: take it out of ${KNOWN#"$TOP"/}"
	fi
	[ -z "$new$stale" ]
}

# analyze LOG COMMAND...: the command for each source of those it reads the names of, as
# many at once as there are processors. Each has a log of its own, lest they mix.
analyze() {
	local log=$1
	shift
	rm -rf "$log.d"
	mkdir -p "$log.d"
	# shellcheck disable=SC2016 # for the shell inside
	if ! xargs -P "$(nproc)" -I{} bash -c 'file=$1 log=$2/${1//\//-}; shift 2; "$@" "$file" >"$log" 2>&1' \
		analyze {} "$log.d" "$@"; then
		tail -n 20 "$log.d"/*
		die "an analyzer did not come to its end"
	fi
	cat "$log.d"/* >"$log"
}

lint_cppcheck() {
	local log=$TOP/build/static/cppcheck.log flags
	user_flags
	mkdir -p "${log%/*}"
	mapfile -t flags < <(printf '%s\n' "${flags[@]}" | grep '^-[DI]')
	if ! sources_like '*.c' ':!kernel' | cppcheck -j "$(nproc)" --quiet --std=c11 --file-list=- \
		--enable=warning,performance,portability "${CPPCHECK_IGNORE[@]/#/--suppress=}" \
		--template='{file}:{line}:{column}: warning: {message} [{id}]' --template-location='' \
		--library="posix,gnu,$TOP/scripts/static/cppcheck.cfg" "${flags[@]}" >"$log" 2>&1; then
		cat "$log"
		return 1
	fi
	judge cppcheck "$log"
}

lint_gcc() {
	local log=$TOP/build/static/gcc.log flags
	user_flags
	sources_like '*.c' ':!kernel' ':!*/tests/*' |
		LC_ALL=C analyze "$log.programs" gcc -O2 -fanalyzer "${flags[@]}" -c -o /dev/null
	# A test that gets no memory dies of it, as it should.
	sources_like '*/tests/*.c' |
		LC_ALL=C analyze "$log.tests" gcc -O2 -fanalyzer "${flags[@]}" -c -o /dev/null \
			-Wno-analyzer-possible-null-argument -Wno-analyzer-possible-null-dereference
	cat "$log.programs" "$log.tests" >"$log"
	judge gcc "$log"
}

lint_clang() {
	local log=$TOP/build/static/clang.log flags
	user_flags
	sources_like '*.c' ':!kernel' | analyze "$log" clang --analyze --analyzer-output text \
		-Xclang -analyzer-checker="$CHECKERS" -Wno-unused-command-line-argument "${flags[@]}"
	judge clang "$log"
}

# Clang of Debian 12 can read the headers of 6.1; what it says about those headers
# is not ours.
lint_kernel() {
	local log=$TOP/build/static/kernel.log copy=$TOP/build/kernel-6.1
	need_kernel 6.1
	build_module 6.1
	mkdir -p "${log%/*}"
	if ! BLKTAP_CHECKERS=$CHECKERS_KERNEL module_make 6.1 "$copy" C=2 CF= \
		CHECK="$TOP/scripts/static/clang-kernel" modules >"$log.all" 2>&1; then
		cat "$log.all"
		return 1
	fi
	[ "$(grep -c '^  CHECK ' "$log.all")" -ge "$(find "$TOP/kernel" -name '*.c' | wc -l)" ] ||
		die "kbuild did not have all files checked: see $log.all"
	sed -n "s|^$copy/|kernel/|p" "$log.all" >"$log"
	judge kernel "$log"
}
