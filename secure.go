package revoke

import (
	"net/http"
	"strings"

	"github.com/alexedwards/scs/v2"
)

// Secure sets the session cookie of sm to what a server in production should
// use: Secure, HttpOnly, SameSite=Lax, Path=/, no Domain, and a name that begins
// with __Host-, under which browsers accept it from this very host over HTTPS
// only (RFC 6265bis, section 4.1.3.2).
//
// The new name signs out those who hold a cookie under the old one.
func Secure(sm *scs.SessionManager) {
	c := &sm.Cookie
	if !strings.HasPrefix(c.Name, "__Host-") {
		c.Name = "__Host-" + c.Name
	}
	c.Secure, c.HttpOnly, c.SameSite = true, true, http.SameSiteLaxMode
	c.Path, c.Domain = "/", ""
}

// SessionManager returns the scs.SessionManager that m was made for, for packages
// that are given a Manager alone and keep something in a session's data, as the
// page keeps what it has yet to say.
func (m *Manager) SessionManager() *scs.SessionManager { return m.sm }
