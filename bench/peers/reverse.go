// Go's own reverse proxy, the building block of Knative's data path: `reverse LISTEN BACKEND PROTOCOL ...`, in threes.
package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	for args := os.Args[1:]; len(args) >= 3; args = args[3:] {
		go serve(args[0], args[1], args[2] == "h2c")
	}
	select {}
}

func serve(listen, backend string, h2c bool) {
	var protocols http.Protocols
	protocols.SetHTTP1(!h2c)
	protocols.SetUnencryptedHTTP2(h2c)
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // load generators leave in the middle of answers
		Transport:     &http.Transport{Protocols: &protocols, MaxIdleConnsPerHost: 4096},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: backend})
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
	}
	log.Fatal((&http.Server{Addr: listen, Handler: proxy, Protocols: &protocols}).ListenAndServe())
}
