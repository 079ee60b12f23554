package revoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// withClock runs a test with a clock of its own, and an application in which ann
// has yet to sign in.
func withClock(t *testing.T, test func(t *testing.T, app *testapp.App, tap *testapp.Tap)) {
	synctest.Test(t, func(t *testing.T) {
		tap := testapp.NewTap(store.NewMemory())
		test(t, testapp.InBubble(tap), tap)
	})
}

func TestAbsoluteExpiry(t *testing.T) {
	withClock(t, func(t *testing.T, app *testapp.App, _ *testapp.Tap) {
		app.SCS.Lifetime = 2 * time.Hour
		b := app.SignedIn(t, "ann")
		for range 119 {
			time.Sleep(time.Minute)
			if !b.Opens() {
				t.Fatal("expired early")
			}
		}
		time.Sleep(time.Minute)
		if b.Opens() {
			t.Error("use has prolonged an absolute lifetime")
		}
		if left := app.List(t, "ann"); len(left) != 0 {
			t.Errorf("an expired session is listed: %v", left)
		}
	})
}

func TestIdleExpiry(t *testing.T) {
	withClock(t, func(t *testing.T, app *testapp.App, _ *testapp.Tap) {
		app.SCS.IdleTimeout = 20 * time.Minute
		b := app.SignedIn(t, "ann")
		time.Sleep(59 * time.Second) // within the touch interval: not written
		if !b.Opens() {
			t.Fatal("expired at once")
		}
		time.Sleep(20*time.Minute - time.Second)
		if !b.Opens() {
			t.Error("a use that was not written did not count: the session expired early")
		}
		time.Sleep(20 * time.Minute)
		if !b.Opens() {
			t.Error("expired at the very idle timeout")
		}
		time.Sleep(21 * time.Minute)
		if b.Opens() {
			t.Error("an idle session is live beyond the idle timeout and a touch interval")
		}
	})
}

func TestIdleTimeoutShorterThanTouchInterval(t *testing.T) {
	withClock(t, func(t *testing.T, app *testapp.App, _ *testapp.Tap) {
		app.SCS.IdleTimeout = 10 * time.Second
		b := app.SignedIn(t, "ann")
		for range 20 {
			time.Sleep(9 * time.Second)
			if !b.Opens() {
				t.Fatal("expired early")
			}
		}
		time.Sleep(15 * time.Second)
		if b.Opens() {
			t.Error("an idle session is live after one and a half idle timeouts")
		}
	})
}

// TestReadsDoNotWrite counts the writes of an hour of reading once a second.
func TestReadsDoNotWrite(t *testing.T) {
	for name, idle := range map[string]time.Duration{"lifetime": 0, "idle timeout": 20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			withClock(t, func(t *testing.T, app *testapp.App, tap *testapp.Tap) {
				app.SCS.IdleTimeout = idle
				b := app.SignedIn(t, "ann")
				for range 3600 {
					time.Sleep(time.Second)
					if !b.Opens() {
						t.Fatal("expired")
					}
				}
				if got := len(tap.Calls("Update", "Touch")); got != 60 {
					t.Errorf("%d writes in an hour, want one a minute", got)
				}
			})
		})
	}
}

func TestAddressChangeIsTouchedAtOnce(t *testing.T) {
	withClock(t, func(t *testing.T, app *testapp.App, tap *testapp.Tap) {
		b := app.SignedIn(t, "ann")
		b.Peer = "198.51.100.7"
		for range 2 {
			b.Get("/me")
			if got, writes := app.List(t, "ann")[0].IP.String(), len(tap.Calls("Update", "Touch")); got != b.Peer || writes != 1 {
				t.Errorf("address %s after %d writes, want one for one change", got, writes)
			}
		}
	})
}

// TestAddressesOfOneNetwork shows that a client which takes a new address of its IPv6
// network for each request neither fills the log nor has each request written.
func TestAddressesOfOneNetwork(t *testing.T) {
	withClock(t, func(t *testing.T, app *testapp.App, tap *testapp.Tap) {
		b := app.SignedIn(t, "ann")
		for i := range 100 {
			b.Peer = fmt.Sprintf("[2001:db8::%x]", i+1)
			b.Get("/me")
		}
		if events, writes := app.Log.Count(revoke.AddressChanged), len(tap.Calls("Update", "Touch")); events != 1 || writes != 1 {
			t.Errorf("%d events and %d writes, want one for the network", events, writes)
		}
	})
}

func TestTombstonesEnd(t *testing.T) {
	withClock(t, func(t *testing.T, app *testapp.App, _ *testapp.Tap) {
		var told bool
		app.Handle("GET /why", func(_ http.ResponseWriter, r *http.Request) {
			var revoked *revoke.RevokedError
			told = errors.As(app.Sessions.Err(r.Context()), &revoked)
		})
		for lifetime, want := range map[time.Duration]time.Duration{time.Hour: time.Hour, 30 * 24 * time.Hour: 24 * time.Hour} {
			app.SCS.Lifetime = lifetime
			b := app.SignedIn(t, "ann")
			if _, err := app.Sessions.RevokeAll(t.Context(), "ann"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(want - time.Second)
			if b.Get("/why"); !told {
				t.Errorf("lifetime %v: the holder is not told a second before %v", lifetime, want)
			}
			time.Sleep(time.Second)
			if b.Get("/why"); told || b.Opens() {
				t.Errorf("lifetime %v: a tombstone outlives %v", lifetime, want)
			}
		}
	})
}

// TestDeadlineBroughtForward shows that a session ends at the deadline in its
// data, even if a request that was under way has prolonged its record.
func TestDeadlineBroughtForward(t *testing.T) {
	withClock(t, func(t *testing.T, app *testapp.App, tap *testapp.Tap) {
		app.Handle("POST /shorten", func(_ http.ResponseWriter, r *http.Request) {
			app.SCS.SetDeadline(r.Context(), time.Now().Add(time.Minute))
		})
		b := app.SignedIn(t, "ann")
		b.Post("/shorten")
		err := tap.Touch(t.Context(), b.UserKey(), b.ID(), store.Touch{SeenAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if b.Opens() {
			t.Error("the session is live after its deadline")
		}
	})
}

// TestDeadlineBroughtForwardInIterate shows that this holds too if Iterate has brought it
// forward, and the session is used afterwards.
func TestDeadlineBroughtForwardInIterate(t *testing.T) {
	withClock(t, func(t *testing.T, app *testapp.App, _ *testapp.Tap) {
		b := app.SignedIn(t, "ann")
		err := app.SCS.Iterate(t.Context(), func(ctx context.Context) error {
			app.SCS.SetDeadline(ctx, time.Now().Add(time.Hour))
			_, _, err := app.SCS.Commit(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		if !b.Opens() {
			t.Error("the session has ended before its deadline")
		}
		time.Sleep(30 * time.Minute)
		if b.Opens() {
			t.Error("the session is live after its deadline")
		}
	})
}

// TestDeadlineOfASignIn shows that a deadline that the handler has set holds also
// where the session takes a fresh token.
func TestDeadlineOfASignIn(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Handle("POST /in", func(w http.ResponseWriter, r *http.Request) {
		app.SCS.SetDeadline(r.Context(), time.Now().Add(time.Hour))
		app.SCS.Put(r.Context(), "userID", "ann")
	})
	visitor := app.Browser(t)
	visitor.Post("/cart?put=book")
	for _, b := range []*testapp.Browser{app.Browser(t), visitor} {
		b.Post("/in")
	}
	for _, session := range app.List(t, "ann") {
		if left := time.Until(session.ExpiresAt); left > time.Hour {
			t.Errorf("a session that is to last an hour lasts %v", left)
		}
	}
}

func TestFarDeadline(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Handle("POST /far", func(w http.ResponseWriter, r *http.Request) {
		app.SCS.SetDeadline(r.Context(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -5*3600)))
	})
	b := app.SignedIn(t, "ann")
	b.Post("/far")
	if got := b.Get(testapp.APIPath); got.Status != http.StatusOK || !json.Valid([]byte(got.Body)) {
		t.Errorf("%d %q", got.Status, got.Body)
	}
}

// TestProofBeginsANewLifetime shows that users who prove again who they are need
// not do so again for as long as after a sign-in.
func TestProofBeginsANewLifetime(t *testing.T) {
	withClock(t, func(t *testing.T, app *testapp.App, _ *testapp.Tap) {
		app.SCS.Lifetime, app.SCS.IdleTimeout = 12*time.Hour, 30*time.Minute
		app.Handle("POST /prove", func(_ http.ResponseWriter, r *http.Request) {
			if err := app.Sessions.Reauthenticated(r.Context()); err != nil {
				t.Error(err)
			}
		})
		b := app.SignedIn(t, "ann")
		use := func(d time.Duration) {
			for range d / (20 * time.Minute) {
				time.Sleep(20 * time.Minute)
				if !b.Opens() {
					t.Fatal("expired early")
				}
			}
		}
		use(11 * time.Hour)
		b.Post("/prove")
		use(11*time.Hour + 40*time.Minute)
		time.Sleep(21 * time.Minute)
		if b.Opens() {
			t.Error("the session outlives a lifetime after its last proof")
		}
	})
}

// TestDeadlineStaysBroughtForward shows that a request that was under way does not
// undo a deadline that another has brought forward.
func TestDeadlineStaysBroughtForward(t *testing.T) {
	for name, path := range map[string]string{"and writes": "/slow-write", "and is only used": "/slow-read"} {
		t.Run(name, testapp.Bubble(func(t *testing.T) {
			app := testapp.InBubble(store.NewMemory())
			app.Sessions.TouchInterval = 0
			slow := func(put bool) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(time.Minute)
					if put {
						app.SCS.Put(r.Context(), "x", "y")
					}
				}
			}
			app.Handle("POST /slow-write", slow(true))
			app.Handle("POST /slow-read", slow(false))
			app.Handle("POST /shorten", func(w http.ResponseWriter, r *http.Request) {
				app.SCS.SetDeadline(r.Context(), time.Now().Add(10*time.Minute))
			})
			b := app.SignedIn(t, "ann")
			done := make(chan struct{})
			go func() {
				defer close(done)
				b.Send("POST", path)
			}()
			time.Sleep(time.Second)
			b.Post("/shorten")
			<-done
			if !b.Opens() {
				t.Fatal("over too early")
			}
			if got := app.List(t, "ann")[0].ExpiresAt; got.After(time.Now().Add(10 * time.Minute)) {
				t.Errorf("the list says that it expires at %v", got)
			}
			time.Sleep(10 * time.Minute)
			if b.Opens() {
				t.Error("open after the deadline that was brought forward")
			}
		}))
	}
}
