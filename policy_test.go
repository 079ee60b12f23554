package revoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestRecentLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		app.Sessions.Authorize = revoke.RecentLogin(10 * time.Minute)
		app.Handle("POST /prove", func(_ http.ResponseWriter, r *http.Request) {
			if err := app.Sessions.Reauthenticated(r.Context()); err != nil {
				t.Error(err)
			}
		})
		b, other := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
		time.Sleep(11 * time.Minute)
		for _, path := range []string{"", "/" + other.ID(), "/unknown"} {
			got := b.Delete(testapp.APIPath + path)
			var p struct {
				MaxAge int `json:"max_age"`
			}
			json.Unmarshal([]byte(got.Body), &p)
			if got.Status != http.StatusForbidden || got.Code(t) != "reauthentication_required" || p.MaxAge != 600 {
				t.Errorf("%s with an old proof: %d %s", path, got.Status, got.Body)
			}
		}
		if !other.Opens() {
			t.Error("a refused revocation revoked")
		}
		old := app.BrowserWith(t, b.Cookie)
		b.Post("/prove")
		if b.Cookie == old.Cookie || old.Opens() {
			t.Error("a renewed proof did not take a fresh token")
		}
		if got := b.Delete(testapp.APIPath); got.Status != http.StatusOK || other.Opens() {
			t.Errorf("with a renewed proof: %d %s", got.Status, got.Body)
		}
		time.Sleep(time.Hour)
		if got := b.Delete(testapp.APIPath + "/" + b.ID()); got.Status != http.StatusOK {
			t.Errorf("signing oneself out: %d %s", got.Status, got.Body)
		}
	})
}

func TestSeasoned(t *testing.T) {
	proved := func(s revoke.Session, at time.Time) revoke.Session {
		s.ProvedAt = at
		return s
	}
	policy := revoke.Seasoned(24 * time.Hour)
	old := revoke.Session{CreatedAt: time.Now().Add(-48 * time.Hour)}
	fresh := revoke.Session{CreatedAt: time.Now().Add(-time.Hour)}
	newer := revoke.Session{CreatedAt: time.Now()}
	for name, test := range map[string]struct {
		action  revoke.Action
		refused bool
	}{
		"a fresh session may not end an older one": {revoke.Action{Session: proved(fresh, fresh.CreatedAt), Targets: []revoke.Session{newer, old}}, true},
		"unless its user has proved again":         {revoke.Action{Session: proved(fresh, time.Now()), Targets: []revoke.Session{old}}, false},
		"a fresh session may end a newer one":      {revoke.Action{Session: proved(fresh, fresh.CreatedAt), Targets: []revoke.Session{newer}}, false},
		"an old session may end any":               {revoke.Action{Session: proved(old, old.CreatedAt), Targets: []revoke.Session{fresh, newer}}, false},
		"nothing to end":                           {revoke.Action{Session: proved(fresh, fresh.CreatedAt)}, false},
	} {
		err := policy(context.Background(), test.action)
		var stepUp *revoke.ReauthenticationError
		if errors.As(err, &stepUp) != test.refused || test.refused && stepUp.MaxAge != 24*time.Hour {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSignInIsNoSecondProof shows that a fresh sign-in may not end an older session,
// however long it takes to check a password.
func TestSignInIsNoSecondProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		app.Sessions.Authorize = revoke.Seasoned(24 * time.Hour)
		app.Handle("POST /slow", func(_ http.ResponseWriter, r *http.Request) {
			time.Sleep(100 * time.Millisecond)
			app.Sessions.Login(r.Context(), "ann")
		})
		owner, thief := app.SignedIn(t, "ann"), app.Browser(t)
		time.Sleep(12 * time.Hour)
		thief.Post("/slow")
		if got := thief.Delete(testapp.APIPath); got.Status != http.StatusForbidden || !owner.Opens() {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
}

func TestAuthorizeSeesTheTargets(t *testing.T) {
	var actions []revoke.Action
	app := testapp.New(t, store.NewMemory())
	app.Sessions.Authorize = func(_ context.Context, a revoke.Action) error {
		actions = append(actions, a)
		return nil
	}
	b, x, y := app.SignedIn(t, "ann"), app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	stranger := app.SignedIn(t, "bob")
	b.Delete(testapp.APIPath + "/" + stranger.ID())
	b.Delete(testapp.APIPath + "/" + x.ID())
	b.Delete(testapp.APIPath)
	if len(actions) != 3 || len(actions[0].Targets) != 0 || len(actions[1].Targets) != 1 || len(actions[2].Targets) != 1 {
		t.Fatalf("asked about %+v", actions)
	}
	if actions[1].Targets[0].ID != x.ID() || actions[2].Targets[0].ID != y.ID() || actions[2].Session.ID != b.ID() {
		t.Errorf("asked about %+v", actions)
	}
	if time.Since(actions[1].Session.ProvedAt) > time.Minute {
		t.Errorf("proved at %v", actions[1].Session.ProvedAt)
	}
}

func TestConfirm(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Sessions.Confirm = true
	b, other := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	app.SignedIn(t, "ann")
	for _, query := range []string{"", "?confirm", "?confirm=false", "?confirm=1"} {
		got := b.Delete(testapp.APIPath + query)
		var p struct{ Count int }
		json.Unmarshal([]byte(got.Body), &p)
		if got.Status != http.StatusPreconditionRequired || got.Code(t) != "confirmation_required" || p.Count != 2 {
			t.Errorf("%q: %d %s", query, got.Status, got.Body)
		}
	}
	if other.Get("/me").Status != http.StatusOK {
		t.Fatal("revoked without being confirmed")
	}
	if got := b.Delete(testapp.APIPath + "?confirm=true"); got.Status != http.StatusOK || other.Get("/me").Status != http.StatusUnauthorized {
		t.Errorf("confirmed: %d %s", got.Status, got.Body)
	}
}

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

// TestReauthenticatedWithoutSession shows that nobody can prove again who they are
// where nobody is signed in.
func TestReauthenticatedWithoutSession(t *testing.T) {
	s := testapp.New(t, store.NewMemory())
	s.Handle("POST /prove", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Sessions.Reauthenticated(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
		}
	})
	if got := s.Browser(t).Post("/prove"); got.Status != http.StatusUnauthorized || got.Body != "unauthenticated\n" {
		t.Errorf("a visitor: %d %q", got.Status, got.Body)
	}
	b := s.SignedIn(t, "ann")
	if got := b.Post("/prove"); got.Status != http.StatusOK {
		t.Errorf("a user: %d %q", got.Status, got.Body)
	}
	if err := s.Sessions.Revoke(t.Context(), "ann", b.ID()); err != nil {
		t.Fatal(err)
	}
	if got := b.Post("/prove"); got.Status != http.StatusUnauthorized || got.Body != "session revoked: revoked\n" {
		t.Errorf("a user whose session was revoked: %d %q", got.Status, got.Body)
	}
}

// TestUseIsNoProof shows that a session which is written to is not one whose user
// has just proved who they are.
func TestUseIsNoProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		app.Handle("POST /prove", func(_ http.ResponseWriter, r *http.Request) { app.Sessions.Reauthenticated(r.Context()) })
		provedAt := func() time.Time { return app.List(t, "ann")[0].ProvedAt }
		b := app.SignedIn(t, "ann")
		proved := provedAt()
		time.Sleep(time.Hour)
		b.Post("/cart?put=book")
		if got := provedAt(); !got.Equal(proved) {
			t.Errorf("after a use an hour later the proof is %v old, not an hour", time.Since(got))
		}
		b.Post("/prove")
		if got := provedAt(); !got.Equal(time.Now()) {
			t.Errorf("after a new proof the proof is %v old", time.Since(got))
		}
	})
}
