#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What bulk data costs, to be run in the guest by scripts/bench-bulk.
if [ -z "$BENCH_SESSION" ]; then
	# A session keyring of our own.
	BENCH_SESSION=1 exec keyctl session tls-bench "$0" "$@" 2>/dev/null
fi
exec 2>&1
. "$(dirname "$0")/../lib.sh"

dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
identity p256.bench ec -pkeyopt ec_paramgen_curve:P-256 || exit 1
ring=$(keyctl newring p256.bench @s) && load p256.bench "$ring" || exit 1
modprobe -q tls
echo "Instructions for each byte, TLS_AES_128_GCM_SHA256; $(uname -sr)"
"$bin/bulk" -n "${1:-8}" -r "$ring"
