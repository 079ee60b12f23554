// Package revoketest helps to test an application that uses revoke.
//
// A test of a handler that wants a signed-in user gets a cookie from [SignIn]:
//
//	r := httptest.NewRequest("GET", "/account", nil)
//	r.AddCookie(revoketest.SignIn(t, sessions, "ann"))
//	w := httptest.NewRecorder()
//	app.ServeHTTP(w, r) // sessions.Track is in app
//
// [Over] and [Live] say whether the session of a cookie is over.
//
// # Load, Put and Commit
//
// Tests for plain scs often make a cookie by sm.Load, sm.Put and sm.Commit. That
// works as before for a visitor, and to change the data of a session that is live.
// It does not sign in: if the data names a user who is not signed in, Commit returns
// an error that is [revoke.ErrMisconfigured] and names SignIn. A sign-in is a step of
// a request, and so has a device, an address, an event and a limit.
//
// # Time
//
// Everything goes by [time.Now], so the clock of [testing/synctest] moves it. Make
// the [scs.SessionManager] before the bubble, as it starts a goroutine that never
// ends, and give it a store that starts none:
//
//	sm := scs.New()
//	sm.Store = memstore.NewWithCleanupInterval(0)
//	synctest.Test(t, func(t *testing.T) {
//		sessions := revoke.New(sm, store.NewMemory())
//		cookie := revoketest.SignIn(t, sessions, "ann")
//		time.Sleep(sm.Lifetime)
//		revoketest.Over(t, sessions, cookie)
//	})
//
// A bubble has no network, so call the application by its ServeHTTP. A Redis goes by
// a clock of its own, which does not move: use [store.NewMemory].
package revoketest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke"
)

// SignIn signs a user in and returns the cookie of the session. The user ID has the
// type that the application gives it: "ann", or 42 if handlers call sm.GetInt. Each
// call makes another session, as a device of its own would. If the sign-in fails,
// the test ends.
//
// Add the cookie to a request with [http.Request.AddCookie].
func SignIn(t testing.TB, sessions *revoke.Manager, userID any) *http.Cookie {
	t.Helper()
	return SignInWith(t, sessions, userID, nil)
}

// SignInWith is SignIn for a session that has more values in its data. If
// [revoke.Manager.UserID] is set, the user ID must be in them.
func SignInWith(t testing.TB, sessions *revoke.Manager, userID any, values map[string]any) *http.Cookie {
	t.Helper()
	sm := sessions.SessionManager()
	w := send(sessions, nil, func(w http.ResponseWriter, r *http.Request) {
		for key, value := range values {
			sm.Put(r.Context(), key, value)
		}
		if sessions.UserID == nil {
			sm.Put(r.Context(), sessions.UserIDKey, userID)
		} else if err := sessions.Login(r.Context(), fmt.Sprint(userID)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	if w.Code != http.StatusOK {
		t.Fatalf("revoketest: the sign-in of %v is answered with %d: %s", userID, w.Code, body(w))
	}
	for _, cookie := range w.Result().Cookies() {
		if cookie.Name == sm.Cookie.Name && cookie.Value != "" && why(t, sessions, cookie) == nil {
			return cookie
		}
	}
	t.Fatalf("revoketest: %#v signs nobody in: a user ID is not empty, and not zero", userID)
	return nil
}

// Over fails the test unless the session of the cookie is over. It returns why, as
// [revoke.Manager.Err] does: a [*revoke.RevokedError], or [revoke.ErrUnauthenticated]
// if the session has expired or never was.
//
// Over asks as a browser does, by a request with the cookie. So a revoked cookie is in
// the audit log afterwards, as [revoke.RevokedTokenUsed].
func Over(t testing.TB, sessions *revoke.Manager, cookie *http.Cookie) error {
	t.Helper()
	err := why(t, sessions, cookie)
	if err == nil {
		t.Error("revoketest: the session is live, and should be over")
	}
	return err
}

// Live fails the test if the session of the cookie is over. It asks by a request, so
// the session has been used then, which puts off the end of an idle one.
func Live(t testing.TB, sessions *revoke.Manager, cookie *http.Cookie) {
	t.Helper()
	if err := why(t, sessions, cookie); err != nil {
		t.Errorf("revoketest: the session is over, and should be live: %v", err)
	}
}

// why returns why the cookie opens no session, or nil if it does. If that cannot be
// told, the test ends.
func why(t testing.TB, sessions *revoke.Manager, cookie *http.Cookie) (err error) {
	t.Helper()
	w := send(sessions, cookie, func(_ http.ResponseWriter, r *http.Request) { err = sessions.Err(r.Context()) })
	if w.Code != http.StatusOK {
		t.Fatalf("revoketest: a request with the cookie is answered with %d: %s", w.Code, body(w))
	}
	return err
}

func body(w *httptest.ResponseRecorder) string { return strings.TrimSpace(w.Body.String()) }

// send has a handler under Track serve a request with the cookie, if there is one.
func send(sessions *revoke.Manager, cookie *http.Cookie, handler http.HandlerFunc) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("User-Agent", "revoketest")
	if cookie != nil {
		r.AddCookie(cookie)
	}
	sessions.Track(handler).ServeHTTP(w, r)
	return w
}
