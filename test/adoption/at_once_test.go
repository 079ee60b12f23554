package adoption

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestAdoptionAtOnce lets many requests adopt a session at once, on every store: it is
// one session, and is adopted once.
func TestAdoptionAtOnce(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		app.Sessions.AdoptUntil = time.Now().Add(time.Hour) // also under encryption
		b := app.BrowserWith(t, app.Before(t).SignedIn(t, "ann").Cookie)
		var requests sync.WaitGroup
		for range 12 {
			requests.Go(func() {
				if got := b.Send("GET", "/me"); got.Body != "ann" || got.Cookie != nil {
					t.Errorf("%d %q, cookie set to %v", got.Status, got.Body, got.Cookie)
				}
			})
		}
		requests.Wait()
		if n := len(app.List(t, "ann")); n != 1 {
			t.Errorf("%d sessions, want 1", n)
		}
		if n := app.Log.Count(revoke.Adopted); n != 1 {
			t.Errorf("adopted %d times, want once", n)
		}
	})
}

// TestAdoptionGoesOn fails each call of an adoption in turn. The request is answered
// with 503, nothing is lost, and the next one goes on from there.
func TestAdoptionGoesOn(t *testing.T) {
	for calls := 1; ; calls++ {
		failed := false
		synctest.Test(t, func(t *testing.T) {
			tap := testapp.NewTap(store.NewMemory())
			tap.Fail = func(testapp.Call) error {
				if len(tap.Calls()) == calls {
					failed = true
					return errors.New("down")
				}
				return nil
			}
			d := deploy(t, tap)
			b := d.signedInBefore(t)
			old := b.Cookie
			if got := b.Get("/me"); failed && got.Status != http.StatusServiceUnavailable || b.Cookie != old {
				t.Errorf("call %d fails: %d, cookie %q", calls, got.Status, b.Cookie)
			}
			tap.Fail = nil
			if !b.Opens() || len(d.app.List(t, "ann")) != 1 {
				t.Errorf("call %d fails: signed out", calls)
			}
		})
		if !failed {
			break
		}
	}
}

// TestEvictionByAdoption shows that a session that has to go for an adopted one
// is in the log.
func TestEvictionByAdoption(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		s := testapp.New(t, st)
		s.Sessions.MaxPerUser, s.Sessions.AdoptUntil = 1, time.Now().Add(time.Hour)
		first, b := s.SignedIn(t, "ann"), s.Browser(t)
		b.App = s.Before(t)
		b.Post("/login?user=ann")
		b.App = s
		if got := b.Get("/me"); got.Body != "ann" {
			t.Fatalf("%d %q", got.Status, got.Body)
		}
		if got := s.Log.Take(t); !slices.Equal(got, []revoke.Kind{revoke.SignedIn, revoke.Evicted, revoke.Adopted}) {
			t.Errorf("logged %v", got)
		}
		if first.Opens() {
			t.Error("the session that was to go for the adopted one lives")
		}
		if got := first.Get(testapp.APIPath); got.Code(t) != "session_revoked" || !strings.Contains(got.Body, revoke.ReasonEvicted) {
			t.Errorf("its holder is told %s", got.Body)
		}
	})
}
