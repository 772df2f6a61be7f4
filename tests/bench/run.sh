#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What handshakes cost, to be run in the guest by scripts/bench-handshake.
if [ -z "$BENCH_SESSION" ]; then
	# A session keyring of our own.
	BENCH_SESSION=1 exec keyctl session tls-bench "$0" "$@" 2>/dev/null
fi
exec 2>&1
. "$(dirname "$0")/../lib.sh"

connections=${1:-100}
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT

# The same library for all clients and for the server that is compared with: the newest here.
run=() lib=$cache/openssl/root/usr/lib/x86_64-linux-gnu library=$(openssl version)
if newer=$("$top/scripts/newer-openssl" --offline 2>/dev/null); then
	library=$("$newer" version)
	[ "$newer" = "$(command -v openssl)" ] ||
		run=("$lib/ld-linux-x86-64.so.2" --library-path "$lib")
fi
library=$(awk '{ print $1, $2 }' <<<"$library")

identity p256.bench ec -pkeyopt ec_paramgen_curve:P-256 && identity rsa.bench rsa:2048 || exit 1

# measure WHO IDENTITY OPTION...: sets $total and $client
measure() {
	local who=$1 id=$2 ring out
	shift 2
	ring=$(keyctl newring "$id" @s) && load "$id" "$ring" || exit 1
	out=$("${run[@]}" "$bin/handshakes" -n "$connections" -r "$ring" -c "$id.pem" -k "$id.key" \
		"$@" "$who") || exit 1
	read -r total client <<<"$out"
}

row() {
	printf '  %-16s %14s %16s %12s\n' "$@"
}

echo "Instructions for each connection, of $connections; $(uname -sr)"
row '' 'whole machine' "client's library" 'the rest'
measure plain p256.bench
echo "no TLS, nothing sent"
row '' "$total" "$client" $((total - client))
while read -r id group suite tickets; do
	echo "$id, $group, $suite${tickets:+, no tickets}"
	# shellcheck disable=SC2086
	measure kernel "$id" -g "$group" -s "$suite" $tickets
	row kernel "$total" "$client" $((total - client))
	ours=$total rest=$((total - client))
	# shellcheck disable=SC2086
	measure library "$id" -g "$group" -s "$suite" $tickets
	row "$library" "$total" "$client" $((total - client))
	row 'times as many' "$(awk "BEGIN { printf \"%.2f\", $total / $ours }")" '' \
		"$(awk "BEGIN { printf \"%.2f\", ($total - $client) / $rest }")"
done < <(
	echo p256.bench X25519 TLS_AES_128_GCM_SHA256
	echo p256.bench X25519 TLS_AES_128_GCM_SHA256 -T
	echo p256.bench X25519 TLS_AES_256_GCM_SHA384
	echo p256.bench P-256 TLS_AES_128_GCM_SHA256
	[ -z "$newer" ] || echo p256.bench X25519MLKEM768 TLS_AES_128_GCM_SHA256
	echo rsa.bench X25519 TLS_AES_128_GCM_SHA256
)
