# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Common parts of the scripts; to be sourced.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
cache=${TLS_HS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tls-handshake}
jobs=${JOBS:-$(nproc)}

say() { echo "[$(date +%T)] $*" >&2; }
die() { echo "${0##*/}: $*" >&2; exit 1; }

# The kernel's Rust wants a compiler with its library's source beside it.  On
# Debian 12 that is rustc-web, next to which rustup's may come first in $PATH.
rust_has_source() {
	[ -e "$("$1" --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/core/src/lib.rs" ]
}

# Sets $rustc.
kernel_rustc() {
	local v
	rustc=${RUSTC:-}
	if [ -z "$rustc" ]; then
		for v in /usr/bin/rustc rustc; do
			command -v "$v" >/dev/null && rust_has_source "$v" && rustc=$v && break
		done
	fi
	[ -n "$rustc" ] || die "no rustc with its library's source: run scripts/deps kernel"
}

# Sets $kmake: what make needs to be told about the tools.
kernel_tools() {
	local v clang='' rustc bindgen=${BINDGEN:-}

	kernel_rustc
	if [ -z "$bindgen" ]; then
		for v in "$cache/cargo/bin/bindgen" "${CARGO_HOME:-$HOME/.cargo}/bin/bindgen" bindgen; do
			command -v "$v" >/dev/null || continue
			case $("$v" --version) in
			*' 0.'[0-6]*|*' 0.70.'*|*' 0.71.0') ;;
			*) bindgen=$v; break ;;
			esac
		done
	fi
	[ -n "$bindgen" ] || die "no bindgen of at least 0.71.1: run scripts/deps kernel"

	for v in -22 -21 -20 -19 ''; do
		command -v "clang$v" >/dev/null && command -v "ld.lld$v" >/dev/null && clang=$v && break
	done
	[ -n "$clang" ] || command -v clang >/dev/null || die "no clang: run scripts/deps kernel"
	kmake=("LLVM=${clang:-1}" "RUSTC=$rustc" "BINDGEN=$bindgen" HOSTRUSTC="$rustc")
}

# quietly LOG TEXT COMMAND...: runs the command with its output in the log,
# with a line of progress now and then.
quietly() {
	local log=$1 text=$2 start=$SECONDS pid next=30 rc=0 n
	shift 2
	mkdir -p "$(dirname "$log")"
	say "$text"
	"$@" </dev/null >"$log" 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		sleep 0.2
		if [ $((SECONDS - start)) -ge $next ]; then
			n=$(wc -l <"$log")
			say "  ... $((SECONDS - start)) s, $n lines: $(tail -n 1 "$log" | tr -s ' ' | cut -c1-60)"
			next=$((next + 30))
		fi
	done
	wait $pid || rc=$?
	if [ $rc -ne 0 ]; then
		grep -nE '(^|[^a-z_])error(\[|:)|\*\*\*|undefined (reference|symbol)|fatal:' "$log" |
			head -n 20 >&2 || true
		tail -n 15 "$log" >&2
		say "$text: failed ($rc), see $log"
		return $rc
	fi
	if [ $((SECONDS - start)) -ge 10 ]; then
		say "  done in $((SECONDS - start)) s"
	fi
}

# apt_of_our_own SUITE: sets $mirror, and $aptget to the options of an apt that
# leaves the machine's own as it is: its mirror, with the suite.  One at a time.
apt_of_our_own() {
	local apt=$cache/apt codename keys=/usr/share/keyrings/debian-archive-keyring.gpg
	mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/parts"
	# Others want another suite, and are asked to wait until this script has ended.
	exec 8>"$apt/.lock"
	flock 8
	codename=$(. /etc/os-release; echo "${VERSION_CODENAME:-}")
	mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		awk -v name="$codename" '$1 == name && /debian\/?$/ { print $2; exit }')
	if [ -z "$mirror" ]; then
		say "apt is set up for no Debian mirror"
		return 1
	fi
	echo "deb [signed-by=$keys] $mirror $1 main" >"$apt/sources.list"
	aptget=(-o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts="$apt/parts"
		-o Dir::Etc::preferencesparts="$apt/parts" -o Dir::Etc::preferences="$apt/none"
		-o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt" -o APT::Sandbox::User=root
		-o Acquire::Languages=none)
}

# venv FILE: prints the Python of a virtual environment with the packages of a
# requirements file, which pins all of them.
venv() {
	local name dir
	name=$(basename "$(dirname "$1")")
	dir=$cache/venv/$name
	if ! cmp -s "$1" "$dir/installed"; then
		rm -rf "$dir"
		quietly "$cache/log/venv-$name.log" "installing Python packages of $1" bash -c '
			python3 -m venv "$1" && "$1/bin/pip" install --no-deps --requirement "$2"' \
			- "$dir" "$1"
		cp "$1" "$dir/installed"
	fi
	echo "$dir/bin/python"
}
