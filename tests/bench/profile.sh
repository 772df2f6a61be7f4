#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Some handshakes, to be run in the guest by scripts/profile-handshake: where to write the
# kernel's symbols, how many, whose (kernel or library), the kind of identity, group and cipher
# suite, and options of handshakes: -T for no tickets, -R for resumptions.
if [ -z "$BENCH_SESSION" ]; then
	# A session keyring of our own.
	BENCH_SESSION=1 exec keyctl session tls-bench "$0" "$@" 2>/dev/null
fi
exec 2>&1
. "$(dirname "$0")/../lib.sh"

dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
run=() lib=$cache/openssl/root/usr/lib/x86_64-linux-gnu
if newer=$("$top/scripts/newer-openssl" --offline 2>/dev/null); then
	[ "$newer" = "$(command -v openssl)" ] ||
		run=("$lib/ld-linux-x86-64.so.2" --library-path "$lib")
fi
case $4 in
p256) identity bench ec -pkeyopt ec_paramgen_curve:P-256 ;;
rsa) identity bench rsa:2048 ;;
esac || exit 1
ring=$(keyctl newring bench @s) && load bench "$ring" || exit 1
"${run[@]}" "$bin/handshakes" -n "$2" -r "$ring" -c bench.pem -k bench.key -g "$5" -s "$6" "${@:7}" "$3" &&
	cat /proc/kallsyms >"$1/kallsyms"
