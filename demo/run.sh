#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The demo: real clients, the kernel's handshakes, a server without a TLS
# library.  To be run in the guest, as `make demo` does.
if [ -z "$DEMO_SESSION" ]; then
	# A session keyring of our own.
	DEMO_SESSION=1 exec keyctl session tls-demo "$0" "$@" 2>/dev/null
fi
exec 2>&1
. "$(dirname "$0")/../tests/lib.sh"

dir=$(mktemp -d) && cd "$dir" || exit 1
port=4433 failed=0 server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$dir"' EXIT

fail() {
	echo "      WRONG: $*"
	failed=$((failed + 1))
}

echo "TLS handshakes in the kernel: $(uname -sr), $(nproc) CPUs"
echo
echo "A privileged process makes two identities and loads them into a keyring:"
identity ecdsa.demo ec -pkeyopt ec_paramgen_curve:P-256 &&
	identity rsa.demo rsa:2048 || { fail "openssl could not make identities"; exit 1; }
cat ecdsa.demo.pem rsa.demo.pem >ca.pem
ring=$(keyctl newring tls-demo @s) || exit 1
for name in ecdsa.demo rsa.demo; do
	echo "    cat $name.crt.der $name.p8.der | keyctl padd tls_identity $name $ring"
	load $name "$ring" || { fail "the kernel does not take $name"; exit 1; }
done

"$bin/tls_server" -p $port -k "$ring" -- "$bin/tls12_proxy" "$dir/ecdsa.demo.pem" \
	"$dir/ecdsa.demo.key" "$dir/rsa.demo.pem" "$dir/rsa.demo.key" >server.log 2>&1 &
server=$!
wait_for server.log 'listening on' || { cat server.log; fail "no server"; exit 1; }
echo
echo "A server that never sees a key listens on port $port.  It is linked to:"
ldd "$bin/tls_server" | awk '/=>/ { print "    " $1 }'
if ldd "$bin/tls_server" | grep -qE 'ssl|tls|crypto'; then
	fail "the server has a TLS library"
fi
echo
echo "Clients that check its certificate, and what the server says about them:"

connections=0

# story WHO COMMAND..., WANT words of the server's line in $want, input in $input
story() {
	local who=$1 rc line word
	shift
	connections=$((connections + 1))
	printf '%s' "$input" | timeout 20 "$@" >out.txt 2>err.txt
	rc=$?
	wait_for server.log "^#$connections " || { fail "$who: the server did not see a connection"; \
		tail -n 5 err.txt; return; }
	line=$(grep "^#$connections " server.log)
	printf '\n  %-2d  %s\n' $connections "$who"
	sed 's/^#[0-9]* /from=/; s/ (PF/(PF/' <<<"$line" | tr ' ' '\n' | sed 's/(PF/ (PF/' |
		paste -sd' ' | fold -s -w 92 | sed 's/^/      /'
	[ $rc = 0 ] || { fail "the client failed ($rc)"; tail -n 5 err.txt | sed 's/^/      /'; }
	for word in $want; do
		grep -qF -- "$word" <<<"$line" || fail "no $word"
	done
	grep -qF -- 'over=' out.txt || fail "the client did not get its answer"
}

get=$'GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n'

input=$get want='PF_TLS over=IPv4 TLSv1.3 ecdsa_secp256r1_sha256 sni=ecdsa.demo'
story "openssl s_client, defaults" openssl s_client -connect 127.0.0.1:$port \
	-servername ecdsa.demo -CAfile ca.pem -verify_return_error -quiet
want='PF_TLS TLS_AES_128_GCM_SHA256 secp256r1 rsa_pss_rsae_sha256 sni=rsa.demo'
story "openssl s_client, P-256 and AES-128, RSA certificate" openssl s_client \
	-connect 127.0.0.1:$port -servername rsa.demo -CAfile ca.pem -verify_return_error -quiet \
	-groups P-256 -ciphersuites TLS_AES_128_GCM_SHA256
want='PF_TLS over=IPv6 TLS_CHACHA20_POLY1305_SHA256'
story "openssl s_client, IPv6, ChaCha20" openssl s_client -connect '[::1]':$port \
	-servername ecdsa.demo -CAfile ca.pem -verify_return_error -quiet \
	-ciphersuites TLS_CHACHA20_POLY1305_SHA256
want='PF_TLS TLSv1.3'
story "openssl s_client, keeps the ticket that it gets" openssl s_client \
	-connect 127.0.0.1:$port -servername ecdsa.demo -CAfile ca.pem -verify_return_error -quiet \
	-sess_out ticket
want='PF_TLS TLSv1.3 resumed'
story "openssl s_client, comes back with it: no certificate, no signature" openssl s_client \
	-connect 127.0.0.1:$port -servername ecdsa.demo -CAfile ca.pem -verify_return_error -quiet \
	-sess_in ticket
if openssl35=$("$top/scripts/newer-openssl" --offline 2>/dev/null); then
	input=$get want='PF_TLS TLSv1.3 X25519MLKEM768'
	story "openssl 3.5, defaults: a key exchange that quantum computers do not break" \
		"$openssl35" s_client -connect 127.0.0.1:$port -servername ecdsa.demo \
		-CAfile ca.pem -verify_return_error -quiet
fi

input='' want='PF_TLS TLSv1.3 sni=rsa.demo rsa_pss_rsae_sha256 alpn=http/1.1'
story "curl, which offers HTTP/2 and HTTP/1.1" curl -sS --cacert ca.pem --resolve rsa.demo:$port:127.0.0.1 \
	https://rsa.demo:$port/

if command -v gnutls-cli >/dev/null; then
	input=$get want='PF_TLS TLSv1.3 ecdsa_secp256r1_sha256 sni=ecdsa.demo'
	story "gnutls-cli" gnutls-cli --logfile=/dev/null --x509cafile=ca.pem -p $port \
		--sni-hostname=ecdsa.demo --verify-hostname=ecdsa.demo 127.0.0.1
fi

cat >client.py <<'END'
import socket, ssl, sys
ctx = ssl.create_default_context(cafile="ca.pem")
if len(sys.argv) > 1:
    ctx.maximum_version = ssl.TLSVersion.TLSv1_2
raw = socket.create_connection(("127.0.0.1", 4433))
with ctx.wrap_socket(raw, server_hostname="ecdsa.demo") as s:
    s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    while data := s.recv(65536):
        sys.stdout.write(data.decode())
END
input='' want='PF_TLS TLSv1.3 ecdsa_secp256r1_sha256 sni=ecdsa.demo'
story "python ssl" $python client.py

echo
echo "TLS 1.2 clients: the kernel leaves the ClientHello where it is, accept() says so,"
echo "and the server hands the connection to OpenSSL in another process:"
input=$get want='(PF_INET) over=IPv4 fallback by=OpenSSL version=TLSv1.2'
story "openssl s_client -tls1_2" openssl s_client -connect 127.0.0.1:$port -tls1_2 \
	-servername ecdsa.demo -CAfile ca.pem -verify_return_error -quiet
input='' want='(PF_INET) fallback by=OpenSSL version=TLSv1.2'
story "curl --tls-max 1.2" curl -sS --tls-max 1.2 --cacert ca.pem \
	--resolve ecdsa.demo:$port:127.0.0.1 https://ecdsa.demo:$port/
story "python ssl, TLS 1.2" $python client.py 1.2

echo
echo "One megabyte both ways (curl, POST, checksums):"
head -c 1048576 /dev/urandom >data
connections=$((connections + 1))
if curl -sS --cacert ca.pem --resolve ecdsa.demo:$port:127.0.0.1 --data-binary @data \
	-o back https://ecdsa.demo:$port/echo && cmp data back; then
	wait_for server.log "^#$connections "
	grep "^#$connections " server.log | grep -o 'requests=.*' | sed 's/^/      /'
	sha256sum data back | sed 's/^/      /'
else
	fail "the transfer"
fi

echo
echo "Plain HTTP sent to the TLS port gets an alert and never reaches the server:"
printf 'GET / HTTP/1.0\r\n\r\n' | timeout 5 $python -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", 4433))
s.sendall(sys.stdin.buffer.read())
data = s.recv(100)
print("      received:", data.hex(" "), "(fatal unexpected_message)" if data[5:] == b"\2\n" else "")
sys.exit(data[:1] + data[5:] != b"\x15\2\n")' || fail "no unexpected_message alert"

echo
echo "/proc/net/tls_stat, where it is not zero:"
awk '/^TlsHs/ && $2 { print "      " $0 }' /proc/net/tls_stat
done=$(counter TlsHsDone) fallback=$(counter TlsHsFallback) alerts=$(counter TlsHsAlertTx)
[ "$fallback" = 3 ] || fail "TlsHsFallback should be 3"
[ "$done" = $((connections - 3)) ] || fail "TlsHsDone should be $((connections - 3))"
[ "$alerts" = 1 ] || fail "TlsHsAlertTx should be 1"

echo
if [ $failed = 0 ]; then
	echo "All as it should be: $done handshakes by the kernel, $fallback by OpenSSL."
else
	echo "$failed things are not as they should be."
	cat server.log
fi
exit $((failed != 0))
