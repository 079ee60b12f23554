package revoketest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/revoketest"
	"github.com/revoke-sessions/revoke/store"
)

func newSessions(st store.Store) *revoke.Manager {
	sessions := revoke.New(scs.New(), st)
	sessions.Logger = slog.New(slog.DiscardHandler)
	return sessions
}

func TestSignedInCookieOpensHandlers(t *testing.T) {
	for _, userID := range []any{"ann", 42, int64(42)} {
		t.Run(fmt.Sprintf("%T", userID), func(t *testing.T) {
			sessions := newSessions(store.NewMemory())
			sm := sessions.SessionManager()
			app := sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, sm.Get(r.Context(), "userID") == userID, sm.GetString(r.Context(), "role"))
			}))
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			r.AddCookie(revoketest.SignInWith(t, sessions, userID, map[string]any{"role": "admin"}))
			app.ServeHTTP(w, r)
			if got := w.Body.String(); got != "trueadmin" {
				t.Errorf("the handler answers %q", got)
			}
		})
	}
}

func TestEachSignInIsADevice(t *testing.T) {
	sessions := newSessions(store.NewMemory())
	for range 3 {
		revoketest.SignIn(t, sessions, "ann")
	}
	if list, err := sessions.List(t.Context(), "ann"); err != nil || len(list) != 3 {
		t.Errorf("%d sessions, %v", len(list), err)
	}
}

func TestUserIDInsideAValue(t *testing.T) {
	sessions := newSessions(store.NewMemory())
	sessions.UserID = func(get func(string) any) string {
		name, _ := get("account").(string)
		return strings.TrimPrefix(name, "account of ")
	}
	revoketest.Live(t, sessions, revoketest.SignInWith(t, sessions, "ann", map[string]any{"account": "account of ann"}))
	said := failureOf(t, func(t testing.TB) { revoketest.SignIn(t, sessions, "ann") })
	if !strings.Contains(said, "Manager.UserID") {
		t.Errorf("without the value: %q", said)
	}
}

func TestWhyASessionIsOver(t *testing.T) {
	sessions := newSessions(store.NewMemory())
	cookie := revoketest.SignIn(t, sessions, "ann")
	if said := failureOf(t, func(t testing.TB) { revoketest.Over(t, sessions, cookie) }); !strings.Contains(said, "is live") {
		t.Errorf("Over says of a live session: %q", said)
	}
	if _, err := sessions.RevokeAll(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	var revoked *revoke.RevokedError
	if err := revoketest.Over(t, sessions, cookie); !errors.As(err, &revoked) || revoked.Reason != revoke.ReasonRevokedAll {
		t.Errorf("it is over because of %v", err)
	}
	if said := failureOf(t, func(t testing.TB) { revoketest.Live(t, sessions, cookie) }); !strings.Contains(said, revoke.ReasonRevokedAll) {
		t.Errorf("Live says of a revoked session: %q", said)
	}
}

// TestStoreFails shows that a session that cannot be looked up is not taken for one
// that is over.
func TestStoreFails(t *testing.T) {
	st := &brokenStore{Store: store.NewMemory()}
	sessions := newSessions(st)
	cookie := revoketest.SignIn(t, sessions, "ann")
	st.broken = true
	for name, ask := range map[string]func(t testing.TB){
		"Over":   func(t testing.TB) { revoketest.Over(t, sessions, cookie) },
		"Live":   func(t testing.TB) { revoketest.Live(t, sessions, cookie) },
		"SignIn": func(t testing.TB) { revoketest.SignIn(t, sessions, "ann") },
	} {
		if said := failureOf(t, ask); !strings.Contains(said, "503") {
			t.Errorf("%s says %q", name, said)
		}
	}
}

type brokenStore struct {
	store.Store
	broken bool
}

func (s *brokenStore) Find(ctx context.Context, user, id string) (store.Record, error) {
	if s.broken {
		return store.Record{}, io.ErrUnexpectedEOF
	}
	return s.Store.Find(ctx, user, id)
}

func (s *brokenStore) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	if s.broken {
		return nil, io.ErrUnexpectedEOF
	}
	return s.Store.Create(ctx, r, limit)
}

func TestNobodyIsNotSignedIn(t *testing.T) {
	sessions := newSessions(store.NewMemory())
	for _, nobody := range []any{"", 0, nil} {
		if said := failureOf(t, func(t testing.TB) { revoketest.SignIn(t, sessions, nobody) }); !strings.Contains(said, "signs nobody in") {
			t.Errorf("%#v: %q", nobody, said)
		}
	}
	if said := failureOf(t, func(t testing.TB) { revoketest.SignIn(t, sessions, struct{ A int }{1}) }); !strings.Contains(said, "500") {
		t.Errorf("a value that is no user ID: %q", said)
	}
}

// TestCommit holds the package's comment to what it says of Load, Put and Commit.
func TestCommit(t *testing.T) {
	sessions := newSessions(store.NewMemory())
	sm := sessions.SessionManager()
	commit := func(cookie, key, value string) (string, error) {
		t.Helper()
		ctx, err := sm.Load(t.Context(), cookie)
		if err != nil {
			t.Fatal(err)
		}
		sm.Put(ctx, key, value)
		token, _, err := sm.Commit(ctx)
		return token, err
	}
	get := func(cookie, key string) string {
		t.Helper()
		ctx, err := sm.Load(t.Context(), cookie)
		if err != nil {
			t.Fatal(err)
		}
		return sm.GetString(ctx, key)
	}

	visitor, err := commit("", "cart", "book")
	if err != nil || get(visitor, "cart") != "book" {
		t.Errorf("a visitor's session: %v", err)
	}
	session := revoketest.SignIn(t, sessions, "ann").Value
	if _, err := commit(session, "cart", "book"); err != nil || get(session, "cart") != "book" {
		t.Errorf("a live session: %v", err)
	}
	for _, cookie := range []string{"", visitor} {
		if _, err := commit(cookie, "userID", "ann"); !errors.Is(err, revoke.ErrMisconfigured) || !strings.Contains(err.Error(), "revoketest.SignIn") {
			t.Errorf("a sign-in: %v", err)
		}
	}
}

// TestClock is the example of the package's comment.
func TestClock(t *testing.T) {
	sm := scs.New()
	sm.Store = memstore.NewWithCleanupInterval(0)
	synctest.Test(t, func(t *testing.T) {
		sessions := revoke.New(sm, store.NewMemory())
		cookie := revoketest.SignIn(t, sessions, "ann")
		time.Sleep(sm.Lifetime - time.Second)
		revoketest.Live(t, sessions, cookie)
		time.Sleep(time.Second)
		revoketest.Over(t, sessions, cookie)
	})
}

// A witness is a test that may fail.
type witness struct {
	testing.TB
	said string
}

func (w *witness) Error(args ...any)                 { w.said += fmt.Sprint(args...) }
func (w *witness) Errorf(format string, args ...any) { w.said += fmt.Sprintf(format, args...) }
func (w *witness) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	runtime.Goexit()
}

// failureOf returns what a test says that must fail.
func failureOf(t *testing.T, test func(testing.TB)) string {
	t.Helper()
	w, done := &witness{TB: t}, make(chan struct{})
	go func() {
		defer close(done)
		test(w)
	}()
	<-done
	if w.said == "" {
		t.Error("nothing has failed")
	}
	return w.said
}
