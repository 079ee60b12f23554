package revoke

import (
	"cmp"
	_ "embed"
	"net/http"
	"strconv"
	"strings"
)

// openAPI describes the API under openAPIPrefix.
//
//go:embed docs/openapi.yaml
var openAPI string

const openAPIPrefix = "/api/auth/sessions"

// OpenAPI answers GET with a description of the API under prefix, in OpenAPI 3.1:
//
//	mux.Handle("GET /openapi.yaml", sessions.OpenAPI("/api/auth/sessions"))
//
// The description names the session's cookie as the [scs.SessionManager] has it. It
// is the same for everyone, and needs neither a session nor Track.
func (m *Manager) OpenAPI(prefix string) http.Handler {
	prefix = strings.TrimSuffix(prefix, "/")
	body := strings.NewReplacer(
		strconv.Quote(openAPIPrefix), strconv.Quote(cmp.Or(prefix, "/")),
		openAPIPrefix, prefix,
		`name: "session"`, "name: "+strconv.Quote(m.sm.Cookie.Name),
	).Replace(openAPI)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			methodNotAllowed(w, "GET", "HEAD")
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/yaml")
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write([]byte(body)) // what fails here is the client's connection
	})
}
