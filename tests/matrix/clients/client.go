// SPDX-License-Identifier: GPL-2.0

// A TLS client with Go's own library: client NAME PORT REQUEST [OPTION=VALUE]...
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"strings"
)

const first = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func talk(addr string, config *tls.Config, request []byte) []byte {
	conn, err := tls.Dial("tcp", addr, config)
	fail(err)
	defer conn.Close()
	_, err = conn.Write(request)
	fail(err)
	answer, err := io.ReadAll(conn)
	fail(err)
	return answer
}

func main() {
	groups := map[string]tls.CurveID{"x25519": tls.X25519, "secp256r1": tls.CurveP256,
		"secp384r1": tls.CurveP384, "X25519MLKEM768": 4588}
	option := map[string]string{}
	for _, word := range os.Args[4:] {
		parts := strings.SplitN(word, "=", 2)
		option[parts[0]] = parts[1]
	}
	pem, err := os.ReadFile("ca.pem")
	fail(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: pool, ServerName: os.Args[1],
		ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	if option["version"] == "1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	if option["groups"] != "" {
		for _, name := range strings.Split(option["groups"], ":") {
			config.CurvePreferences = append(config.CurvePreferences, groups[name])
		}
	}
	if option["alpn"] != "" {
		config.NextProtos = strings.Split(option["alpn"], ",")
	}
	addr := "127.0.0.1:" + os.Args[2]
	if option["twice"] != "" {
		talk(addr, config, []byte(first))
	}
	request, err := os.ReadFile(os.Args[3])
	fail(err)
	_, err = os.Stdout.Write(talk(addr, config, request))
	fail(err)
}
