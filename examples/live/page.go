package main

import (
	"embed"
	"net/http"
)

//go:embed page
var page embed.FS

// addPage adds the page, which loads nothing from elsewhere and runs no script
// but its own.
func addPage(mux *http.ServeMux) {
	for path, file := range map[string]string{"/{$}": "page/index.html", "/live.js": "page/live.js", "/live.css": "page/live.css"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
				"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Referrer-Policy", "no-referrer")
			http.ServeFileFS(w, r, page, file)
		})
	}
}
