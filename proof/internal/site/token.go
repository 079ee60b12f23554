package site

import (
	"context"
	"net/http"
	"strings"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// addTokens adds what a client does that keeps its token itself, and a service that
// takes tokens of another kind:
//
//	POST /issue?user=      signs in, and answers with the token
//	POST /rotate           answers with the token that follows
//	POST /refresh?token=   likewise, for a token that comes in the body
//	GET  /live?session=    answers whether a session is live, from a lease if there are leases
//
// The other requests take a token in the place of a cookie.
func addTokens(handle handle, sessions *revoke.Manager, live liveness) {
	sessions.Bearer = true
	handle("POST /issue", false, func(r *http.Request) (answer, error) {
		token, err := sessions.Issue(r.Context(), r.FormValue("user"))
		return answer{Token: token}, err
	})
	handle("POST /rotate", true, func(r *http.Request) (answer, error) {
		token, err := sessions.Rotate(r.Context())
		return answer{Token: token}, err
	})
	handle("POST /refresh", false, func(r *http.Request) (answer, error) {
		_, token, err := sessions.Refresh(r, r.FormValue("token"))
		return answer{Token: token}, err
	})
	handle("GET /live", false, func(r *http.Request) (answer, error) {
		return answer{}, live(r.Context(), r.FormValue("session"))
	})
}

// A handle adds a handler.
type handle func(pattern string, needsSession bool, do func(*http.Request) (answer, error))

// A liveness tells whether a session is live.
type liveness func(ctx context.Context, sid string) error

// leased returns the store as a process has it that has leases, if this one has.
func (c Config) leased(st store.Store) (store.Store, liveness) {
	if c.Lease == 0 {
		return st, revoke.LiveIn(st)
	}
	l := store.Lease(st, c.Lease)
	switch c.Defect {
	case "hurried":
		return hurried{l}, revoke.LiveIn(l)
	case "hasty":
		return hasty{l}, revoke.LiveIn(l)
	}
	return l, revoke.LiveIn(l)
}

// SessionOf returns the name of a token's session, for GET /live.
func SessionOf(token string) string { return token[:strings.LastIndexByte(token, '.')] }

// By returns the request as the app userAgent makes it, with its token.
func (r Request) By(userAgent, token string) Request {
	r.UserAgent, r.Token = userAgent, token
	return r
}
