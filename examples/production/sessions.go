package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"
	"github.com/unrolled/secure"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

// newHandler returns the application, with its visitors in pool and its sessions
// in st.
func newHandler(o options, pool *redis.Pool, st store.Store, log *slog.Logger, alerts io.Writer) http.Handler {
	sm := scs.New()
	sm.Store = redisstore.New(pool) // visitors, who have not signed in
	sm.HashTokenInStore = true      // a copy of Redis opens none of their sessions either
	sm.Lifetime = 12 * time.Hour    // NIST SP 800-63B-4, 2.2.3: at most 24 hours
	sm.IdleTimeout = 30 * time.Minute
	sm.Cookie.Persist = false // the cookie goes with the browser
	revoke.Secure(sm)

	sessions := revoke.New(sm, st)
	sessions.MaxPerUser = 20
	sessions.ClientIP = clientIP(o.trustedProxies)
	sessions.Anonymize = o.anonymize
	sessions.Limiter = store.NewRedisLimiter(pool, 10, time.Minute)
	sessions.Authorize = revoke.RecentLogin(o.proofAge)
	sessions.Confirm = true
	sessions.Logger = log
	sessions.OnEvent = alert(alerts)

	mux := site.New(sm, sessions)
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/", ReauthenticateURL: "/reauthenticate"}))
	mux.HandleFunc("GET /reauthenticate", reauthenticateForm)
	mux.Handle("POST /reauthenticate", http.NewCrossOriginProtection().Handler(reauthenticate(sm, sessions)))

	headers := secure.New(secure.Options{
		STSSeconds:            int64(o.hsts.Seconds()), // sent over TLS only (RFC 6797, 7.2)
		STSIncludeSubdomains:  true,                    // all hosts below this one need TLS too
		ContentTypeNosniff:    true,
		ReferrerPolicy:        "same-origin",
		ContentSecurityPolicy: "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	})
	return headers.Handler(http.MaxBytesHandler(sessions.Track(mux), 64<<10))
}

// alert returns an OnEvent function that is loud about what is suspicious. A
// message to the user, or to whoever is on call, would take its place.
func alert(out io.Writer) func(revoke.Event) {
	return func(e revoke.Event) {
		if e.Kind != revoke.Suspicious {
			return
		}
		fmt.Fprintf(out, "\a*** SUSPICIOUS at %s: %s, user %q, session %q, from %s, %q ***\n",
			e.Time.Format(time.RFC3339), e.Reason, e.UserID, e.SessionID, e.IP, e.UserAgent)
	}
}
