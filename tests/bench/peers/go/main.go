// SPDX-License-Identifier: GPL-2.0

// A server of net/http: TLS 1.3 by crypto/tls, or on listeners whose clients' handshakes the
// kernel does.
//
//	go-server ADDRESS CERTIFICATE.pem KEY.pem [tickets]
//	go-server DESCRIPTOR
package main

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, "hello\n")
	})
	// Clients that close after the handshake are no news.
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0)}
	if len(os.Args) == 2 {
		fd, err := strconv.Atoi(os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		listener, err := net.FileListener(os.NewFile(uintptr(fd), "listener"))
		if err != nil {
			log.Fatal(err)
		}
		log.Fatal(server.Serve(listener))
	}
	server.Addr = os.Args[1]
	server.TLSConfig = &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{"http/1.1"},
		SessionTicketsDisabled: len(os.Args) < 5,
	}
	log.Fatal(server.ListenAndServeTLS(os.Args[2], os.Args[3]))
}
