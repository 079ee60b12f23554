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
	s := newServer(t, store.NewMemory(), func(s *server) {
		into := map[string]*error{"crossed": &crossed, "limited": &limited, "stranger": &stranger, "revoked": &revoked, "passed": &passed}
		s.mux.HandleFunc("/own/{case}", func(w http.ResponseWriter, r *http.Request) {
			err := s.sessions.Guard(r)
			*into[r.PathValue("case")] = err
			if err != nil {
				revoke.ProblemOf(err).Write(w)
			}
		})
	})
	b, gone := s.signedIn(t, "ann"), s.signedIn(t, "ann")
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
		if got := b.do(method, "/own/passed"); got.status != http.StatusOK || passed != nil {
			t.Errorf("%s with a session: %d %v", method, got.status, passed)
		}
	}
	evil := &browser{t: t, s: s, cookie: b.cookie, header: http.Header{"Sec-Fetch-Site": {"cross-site"}}}
	if got := evil.post("/own/crossed"); problemCode(t, got) != "cross_origin" || !errors.Is(crossed, revoke.ErrCrossOrigin) {
		t.Errorf("from another site: %d %v", got.status, crossed)
	}
	if got := evil.get("/own/passed"); got.status != http.StatusOK || passed != nil {
		t.Errorf("reading, from another site: %d %v", got.status, passed)
	}
	for _, method := range []string{"GET", "POST"} {
		if got := s.browser(t).do(method, "/own/stranger"); problemCode(t, got) != "unauthenticated" || !errors.Is(stranger, revoke.ErrUnauthenticated) {
			t.Errorf("%s without a session: %d %v", method, got.status, stranger)
		}
	}
	b.delete(apiPath + "/" + gone.id())
	var why *revoke.RevokedError
	if got := gone.post("/own/revoked"); problemCode(t, got) != "session_revoked" || !errors.As(revoked, &why) {
		t.Errorf("revoked: %d %v", got.status, revoked)
	}
	s.sessions.Limiter = revoke.NewLimiter(1, time.Hour)
	evil.post("/own/crossed")
	b.get("/own/passed")
	if got := b.post("/own/passed"); got.status != http.StatusOK {
		t.Errorf("another site has used up the limit, or reading has: %d", got.status)
	}
	var over *revoke.RateLimitedError
	got := b.post("/own/limited")
	if problemCode(t, got) != "rate_limited" || got.header.Get("Retry-After") != "3600" || !errors.As(limited, &over) {
		t.Fatalf("over the limit: %d %v", got.status, limited)
	}
	if over.RetryAfter < 59*time.Minute || over.RetryAfter > time.Hour {
		t.Errorf("over the limit: retry after %v", over.RetryAfter)
	}
}

// TestGuardOutsideTrack shows that a handler that is not under Track does
// nothing, and that the log names the mistake.
func TestGuardOutsideTrack(t *testing.T) {
	s := newServer(t, store.NewMemory())
	r := httptest.NewRequest("GET", "/", nil)
	if err := s.sessions.Guard(r); !errors.Is(err, revoke.ErrMisconfigured) {
		t.Errorf("Guard: %v", err)
	}
	for name, h := range map[string]http.Handler{"list": s.sessions.ListHandler(), "all": s.sessions.Handler("")} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := (answer{w.Code, w.Body.String(), w.Header()}); got.status != http.StatusInternalServerError || problemCode(t, got) != "misconfigured" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if n := strings.Count(s.log.String(), "outside of Track"); n != 3 {
		t.Errorf("named %d times in the log, want once a request: %s", n, s.log)
	}
}

// TestRefusal shows that what a policy says no to is answered as a refusal,
// whatever error it says so with.
func TestRefusal(t *testing.T) {
	locked := errors.New("the account is locked: see the file of 3 June")
	for _, cause := range []error{locked, revoke.ErrNotFound, revoke.ErrUnauthenticated, &revoke.RevokedError{}, revoke.ErrNotReplicated, &revoke.ConfirmationError{}} {
		var err error
		s := newServer(t, store.NewMemory(), func(s *server) {
			s.sessions.Authorize = func(context.Context, revoke.Action) error { return cause }
			s.handle("POST /own", func(_ http.ResponseWriter, r *http.Request) { _, err = s.sessions.RevokeOthers(r.Context()) })
		})
		b, other := s.signedIn(t, "ann"), s.signedIn(t, "ann")
		for _, path := range []string{"", "/" + other.id()} {
			got := b.delete(apiPath + path)
			if got.status != http.StatusForbidden || problemCode(t, got) != "refused" || strings.Contains(got.body, "3 June") {
				t.Errorf("%v: DELETE %q: %d %s", cause, path, got.status, got.body)
			}
		}
		b.post("/own")
		var refused *revoke.RefusedError
		if !errors.As(err, &refused) || !errors.Is(err, cause) {
			t.Errorf("%v: RevokeOthers: %v", cause, err)
		}
		if other.get("/me").status != http.StatusOK {
			t.Errorf("%v: revoked all the same", cause)
		}
	}
}
