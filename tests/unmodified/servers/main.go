// SPDX-License-Identifier: GPL-2.0

// HTTP/1.1 with net/http.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		log.Fatal(err)
	}
	log.SetOutput(os.Stdout)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		log.Print(host)
		fmt.Fprintln(w, host)
	})
	log.Fatal(http.Serve(listener, nil))
}
