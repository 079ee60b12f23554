package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// A handler of an application's own, guarded as ours are.
func ExampleManager_Guard() {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /account/lost-phone", func(w http.ResponseWriter, r *http.Request) {
		err := sessions.Guard(r)
		if err == nil {
			_, err = sessions.RevokeOthers(r.Context())
		}
		if err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		fmt.Fprint(w, "Signed out everywhere else.")
	})
}

// TestGuard shows what a handler of an application's own refuses with Guard.
func TestGuard(t *testing.T) {
	var crossed, limited, stranger, revoked, passed error
	s := testapp.New(t, store.NewMemory())
	into := map[string]*error{"crossed": &crossed, "limited": &limited, "stranger": &stranger, "revoked": &revoked, "passed": &passed}
	s.Mux.HandleFunc("/own/{case}", func(w http.ResponseWriter, r *http.Request) {
		err := s.Sessions.Guard(r)
		*into[r.PathValue("case")] = err
		if err != nil {
			revoke.ProblemOf(err).Write(w)
		}
	})
	b, gone := s.SignedIn(t, "ann"), s.SignedIn(t, "ann")
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
		if got := b.Do(method, "/own/passed"); got.Status != http.StatusOK || passed != nil {
			t.Errorf("%s with a session: %d %v", method, got.Status, passed)
		}
	}
	evil := s.BrowserWith(t, b.Cookie)
	evil.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
	if got := evil.Post("/own/crossed"); got.Code(t) != "cross_origin" || !errors.Is(crossed, revoke.ErrCrossOrigin) {
		t.Errorf("from another site: %d %v", got.Status, crossed)
	}
	if got := evil.Get("/own/passed"); got.Status != http.StatusOK || passed != nil {
		t.Errorf("reading, from another site: %d %v", got.Status, passed)
	}
	for _, method := range []string{"GET", "POST"} {
		if got := s.Browser(t).Do(method, "/own/stranger"); got.Code(t) != "unauthenticated" || !errors.Is(stranger, revoke.ErrUnauthenticated) {
			t.Errorf("%s without a session: %d %v", method, got.Status, stranger)
		}
	}
	b.Delete(testapp.APIPath + "/" + gone.ID())
	var why *revoke.RevokedError
	if got := gone.Post("/own/revoked"); got.Code(t) != "session_revoked" || !errors.As(revoked, &why) {
		t.Errorf("revoked: %d %v", got.Status, revoked)
	}
	s.Sessions.Limiter = revoke.NewLimiter(1, time.Hour)
	evil.Post("/own/crossed")
	b.Get("/own/passed")
	if got := b.Post("/own/passed"); got.Status != http.StatusOK {
		t.Errorf("another site has used up the limit, or reading has: %d", got.Status)
	}
	var over *revoke.RateLimitedError
	got := b.Post("/own/limited")
	if got.Code(t) != "rate_limited" || got.Header.Get("Retry-After") != "3600" || !errors.As(limited, &over) {
		t.Fatalf("over the limit: %d %v", got.Status, limited)
	}
	if over.RetryAfter < 59*time.Minute || over.RetryAfter > time.Hour {
		t.Errorf("over the limit: retry after %v", over.RetryAfter)
	}
}

// TestGuardOutsideTrack shows that a handler that is not under Track does
// nothing, and that the log names the mistake.
func TestGuardOutsideTrack(t *testing.T) {
	s := testapp.New(t, store.NewMemory())
	r := httptest.NewRequest("GET", "/", nil)
	if err := s.Sessions.Guard(r); !errors.Is(err, revoke.ErrMisconfigured) {
		t.Errorf("Guard: %v", err)
	}
	for name, h := range map[string]http.Handler{"list": s.Sessions.ListHandler(), "all": s.Sessions.Handler("")} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := (testapp.Answer{Status: w.Code, Body: w.Body.String(), Header: w.Header()}); got.Status != http.StatusInternalServerError || got.Code(t) != "misconfigured" {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if n := strings.Count(s.Log.String(), "outside of Track"); n != 3 {
		t.Errorf("named %d times in the log, want once a request: %s", n, s.Log)
	}
}

// TestRefusal shows that what a policy says no to is answered as a refusal,
// whatever error it says so with.
func TestRefusal(t *testing.T) {
	locked := errors.New("the account is locked: see the file of 3 June")
	for _, cause := range []error{locked, revoke.ErrNotFound, revoke.ErrUnauthenticated, &revoke.RevokedError{}, revoke.ErrNotReplicated, &revoke.ConfirmationError{}} {
		var err error
		s := testapp.New(t, store.NewMemory())
		s.Sessions.Authorize = func(context.Context, revoke.Action) error { return cause }
		s.Handle("POST /own", func(_ http.ResponseWriter, r *http.Request) { _, err = s.Sessions.RevokeOthers(r.Context()) })
		b, other := s.SignedIn(t, "ann"), s.SignedIn(t, "ann")
		for _, path := range []string{"", "/" + other.ID()} {
			got := b.Delete(testapp.APIPath + path)
			if got.Status != http.StatusForbidden || got.Code(t) != "refused" || strings.Contains(got.Body, "3 June") {
				t.Errorf("%v: DELETE %q: %d %s", cause, path, got.Status, got.Body)
			}
		}
		b.Post("/own")
		var refused *revoke.RefusedError
		if !errors.As(err, &refused) || !errors.Is(err, cause) {
			t.Errorf("%v: RevokeOthers: %v", cause, err)
		}
		if other.Get("/me").Status != http.StatusOK {
			t.Errorf("%v: revoked all the same", cause)
		}
	}
}
