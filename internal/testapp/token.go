package testapp

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke"
)

// Pocket is the user agent of a client that keeps its token itself.
const Pocket = "Pocket/3.1 (iPhone; iOS 19.0)"

// TakeTokens has the application take bearer tokens, and adds:
//
//	POST /issue?user=ann  answers with a token of Issue
//	POST /rotate          answers with the token of Rotate
func (a *App) TakeTokens() *App {
	a.Sessions.Bearer = true
	answer := func(w http.ResponseWriter, token string, err error) {
		if err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		io.WriteString(w, token)
	}
	a.Handle("POST /issue", func(w http.ResponseWriter, r *http.Request) {
		token, err := a.Sessions.Issue(r.Context(), r.FormValue("user"))
		answer(w, token, err)
	})
	a.Handle("POST /rotate", func(w http.ResponseWriter, r *http.Request) {
		token, err := a.Sessions.Rotate(r.Context())
		answer(w, token, err)
	})
	return a
}

// With returns a client that sends a bearer token, and keeps no cookie in mind.
func (a *App) With(t testing.TB, token string) *Browser {
	b := a.Browser(t)
	b.Header.Set("User-Agent", Pocket)
	b.Header.Set("Authorization", "Bearer "+token)
	return b
}

// Issued returns a client that has signed in, and its token.
func (a *App) Issued(t testing.TB, user string) (*Browser, string) {
	t.Helper()
	got := a.Browser(t).Post("/issue?user=" + user)
	if got.Status != http.StatusOK || got.Header["Set-Cookie"] != nil {
		t.Fatalf("issue: %d %s, %q", got.Status, got.Body, got.Header["Set-Cookie"])
	}
	return a.With(t, got.Body), got.Body
}

const minted = "minted:"

// Mint returns a token that names a session, as those of a package that signs them do.
func Mint(m *revoke.Manager, s revoke.Session) (token string) { return minted + m.SID(s) }

// Minted takes the tokens of [Mint], for the user ann. It is for Manager.Authenticate.
func Minted(r *http.Request) (userID, sid string, err error) {
	sid, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "+minted)
	if !ok {
		return "", "", revoke.ErrUnauthenticated
	}
	return "ann", sid, nil
}
