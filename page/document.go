package page

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"sync"
)

//go:embed page.html page.css
var files embed.FS

// ownDocument is parsed when it is first used: a program that imports the package
// starts no slower.
var ownDocument = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(files, "page.html"))
})

// A stylesheet is the page's, with a version that changes with it.
type stylesheet struct {
	css     []byte
	version string
}

var ownStyle = sync.OnceValue(func() stylesheet {
	css, _ := files.ReadFile("page.css") // it is embedded
	sum := sha256.Sum256(css)
	return stylesheet{css, base64.RawURLEncoding.EncodeToString(sum[:12])}
})

// serveStyle answers with the page's stylesheet. It is cached for good under
// its version, but by browsers only: the answer may carry a session's cookie.
func serveStyle(w http.ResponseWriter, r *http.Request) {
	style, h := ownStyle(), w.Header()
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("style") == style.version {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(style.css)
}
