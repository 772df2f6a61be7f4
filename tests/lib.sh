# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Common parts of what runs in the guest; to be sourced.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${TLS_HS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tls-handshake}
bin=$cache/user
python=python3

# identity NAME ALGORITHM...: NAME.pem, NAME.key (PEM) and NAME.id (for the kernel)
identity() {
	local name=$1
	shift
	openssl req -x509 -nodes -days 3650 -subj "/CN=$name" -addext "subjectAltName=DNS:$name" \
		-newkey "$@" -keyout "$name.key" -out "$name.pem" 2>/dev/null &&
		{ openssl x509 -in "$name.pem" -outform DER &&
			openssl pkcs8 -topk8 -nocrypt -in "$name.key" -outform DER; } >"$name.id"
}

# load NAME KEYRING
load() {
	keyctl padd tls_identity "$1" "$2" <"$1.id" >/dev/null
}

# wait_for FILE TEXT: until the text is in the file
wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		grep -qs -- "$2" "$1" && return 0
		sleep 0.05
	done
	return 1
}

# counter NAME: of /proc/net/tls_stat
counter() {
	awk -v name="$1" '$1 == name { print $2; found = 1 } END { if (!found) print 0 }' \
		/proc/net/tls_stat
}
