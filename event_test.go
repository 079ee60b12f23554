package revoke_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestAuditTrail shows that each thing that happens is logged exactly once.
func TestAuditTrail(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.Over(scs.New(), st)
		app.Sessions.MaxPerUser = 3
		app.Sessions.Limiter = revoke.NewLimiter(4, time.Hour)
		expect := func(want ...revoke.Kind) {
			t.Helper()
			if got := app.Log.Take(t); !slices.Equal(got, want) {
				t.Errorf("logged %v, want %v", got, want)
			}
		}
		a, b, c, d := app.Browser(t), app.Browser(t), app.Browser(t), app.Browser(t)
		a.Post("/login?user=ann")
		expect(revoke.SignedIn)
		a.Get("/me")
		expect()
		a.Post("/renew")
		expect(revoke.Renewed)
		a.Peer = "192.0.2.2"
		a.Get("/me")
		expect(revoke.AddressChanged)
		b.Post("/login?user=ann")
		c.Post("/login?user=ann")
		expect(revoke.SignedIn, revoke.SignedIn)
		time.Sleep(2 * time.Millisecond)
		d.Post("/login?user=ann")
		expect(revoke.SignedIn, revoke.Evicted)
		a.Get("/me")
		expect(revoke.RevokedTokenUsed)
		a.Get("/me")
		expect()
		a.Peer = "192.0.2.3"
		a.Get("/me")
		expect(revoke.RevokedTokenUsed, revoke.Suspicious)
		d.Delete(testapp.APIPath + "/" + c.ID())
		expect(revoke.Revoked)
		d.Delete(testapp.APIPath + "/" + c.ID())
		expect(revoke.Refused)
		d.Header.Set("Sec-Fetch-Site", "cross-site")
		d.Delete(testapp.APIPath)
		expect(revoke.CrossOriginRefused)
		d.Header.Del("Sec-Fetch-Site")
		d.Delete(testapp.APIPath)
		expect(revoke.RevokedOthers)
		app.Sessions.Authorize = func(context.Context, revoke.Action) error { return &revoke.ReauthenticationError{} }
		d.Delete(testapp.APIPath)
		expect(revoke.StepUpRefused)
		d.Delete(testapp.APIPath)
		d.Delete(testapp.APIPath)
		expect(revoke.RateLimited)
		d.Post("/logout")
		expect(revoke.LoggedOut)
		app.Sessions.RevokeAll(context.Background(), "ann")
		expect(revoke.RevokedAll)
		app.Sessions.RevokeEveryone(context.Background())
		expect(revoke.RevokedEveryone)
	})
}

// TestTimesAreUTC shows that no time needs to be guessed at, wherever the server
// is.
func TestTimesAreUTC(t *testing.T) {
	events := make(chan revoke.Event, 1)
	app := testapp.New(t, store.NewMemory())
	app.Sessions.OnEvent = func(e revoke.Event) { events <- e }
	b := app.SignedIn(t, "ann")
	if e := <-events; e.Time.Location() != time.UTC || time.Since(e.Time) > time.Minute {
		t.Errorf("an event at %v", e.Time)
	}
	var line struct{ Time string }
	if err := json.Unmarshal([]byte(app.Log.String()), &line); err != nil {
		t.Fatal(err)
	}
	if at, err := time.Parse(time.RFC3339, line.Time); err != nil || time.Since(at) > time.Minute {
		t.Errorf("logged at %q: %v", line.Time, err)
	}
	var reply struct{ Sessions []map[string]any }
	json.Unmarshal([]byte(b.Get(testapp.APIPath).Body), &reply)
	for _, key := range []string{"created_at", "last_seen_at", "expires_at"} {
		if at, _ := reply.Sessions[0][key].(string); !strings.HasSuffix(at, "Z") {
			t.Errorf("%s is %q", key, at)
		}
	}
}

func TestHookHarmsNoRequest(t *testing.T) {
	t.Run("panics", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			app := testapp.InBubble(store.NewMemory())
			calls := 0
			app.Sessions.OnEvent = func(revoke.Event) {
				calls++
				panic("in the hook")
			}
			for range 3 {
				app.SignedIn(t, "ann")
			}
			synctest.Wait()
			if calls != 3 || strings.Count(app.Log.String(), "in the hook") != 3 {
				t.Errorf("%d calls, log %s", calls, app.Log)
			}
		})
	})
	t.Run("blocks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			app := testapp.InBubble(store.NewMemory())
			block := make(chan struct{})
			delivered := 0
			app.Sessions.OnEvent = func(revoke.Event) { <-block; delivered++ }
			for range 3000 {
				app.Sessions.RevokeAll(t.Context(), "ann") // none of them waits
			}
			close(block)
			synctest.Wait()
			if delivered < 1024 || delivered > 2100 || !strings.Contains(app.Log.String(), "missed events") {
				t.Errorf("%d delivered", delivered)
			}
		})
	})
}

func TestPatterns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		m := app.Sessions
		reasons := func(reason string) int { return strings.Count(app.Log.String(), `"reason":"`+reason+`"`) }
		for range 5 {
			m.RevokeAll(t.Context(), "ann")
		}
		if reasons(revoke.ReasonManyRevocations) != 0 {
			t.Error("five revocations are a burst")
		}
		for range 5 {
			m.RevokeAll(t.Context(), "ann")
		}
		if n := reasons(revoke.ReasonManyRevocations); n != 1 {
			t.Errorf("a burst raised %d events", n)
		}
		time.Sleep(11 * time.Minute)
		for range 6 {
			m.RevokeAll(t.Context(), "ann")
		}
		if n := reasons(revoke.ReasonManyRevocations); n != 2 {
			t.Errorf("a second burst, later, raised %d events", n-1)
		}
		for range 20 {
			m.Revoke(t.Context(), "bob", "AbCdEfGhIjKlMnOpQrStUv")
		}
		if n := reasons(revoke.ReasonManyRefusals); n != 0 {
			t.Errorf("refusals on one id raised %d events", n)
		}
		for i := range 20 {
			m.Revoke(t.Context(), "bob", fmt.Sprintf("%022d", i))
		}
		if n := reasons(revoke.ReasonManyRefusals); n != 1 {
			t.Errorf("refusals on many ids raised %d events", n)
		}
		for range 5 {
			m.RevokeAll(t.Context(), "cid")
		}
		for i := range 20_000 {
			m.Revoke(t.Context(), fmt.Sprint("user", i), "AbCdEfGhIjKlMnOpQrStUv")
		}
		m.RevokeAll(t.Context(), "cid")
		if n := reasons(revoke.ReasonManyRevocations); n != 2 {
			t.Error("a user is remembered after 20,000 others")
		}
	})
}

func TestGoexitInTheHookEndsNoLaterEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m := revoke.New(testapp.NewSCS(), store.NewMemory())
		m.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		calls := 0
		m.OnEvent = func(revoke.Event) {
			calls++
			runtime.Goexit() // as FailNow of a test does
		}
		for range 3 {
			m.RevokeAll(t.Context(), "ann")
		}
		synctest.Wait()
		if calls != 3 || strings.Count(log.String(), "runtime.Goexit") != 3 {
			t.Errorf("%d calls, log %s", calls, log.String())
		}
	})
}

func TestAlarmIsNotLostAmongOtherEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := revoke.New(testapp.NewSCS(), store.NewMemory())
		block := make(chan struct{})
		var kinds []revoke.Kind
		m.OnEvent = func(e revoke.Event) {
			<-block
			kinds = append(kinds, e.Kind)
		}
		for i := range 2000 {
			m.RevokeAll(t.Context(), fmt.Sprint("user", i))
		}
		for range 6 {
			m.RevokeAll(t.Context(), "ann") // a burst
		}
		close(block)
		synctest.Wait()
		if i := slices.Index(kinds, revoke.Suspicious); i < 0 || i > 1 {
			t.Errorf("the alarm is event %d of %d, want it right after the one that was under way", i, len(kinds))
		}
	})
}

func TestFlushEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := revoke.New(testapp.NewSCS(), store.NewMemory())
		if err := m.FlushEvents(t.Context()); err != nil {
			t.Errorf("without OnEvent: %v", err)
		}
		var delivered atomic.Int32
		m.OnEvent = func(revoke.Event) {
			time.Sleep(time.Second)
			delivered.Add(1)
		}
		for range 3 {
			m.RevokeAll(t.Context(), "ann")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if err := m.FlushEvents(ctx); !errors.Is(err, context.DeadlineExceeded) || delivered.Load() != 1 {
			t.Errorf("out of time: %v, with %d events delivered", err, delivered.Load())
		}
		if err := m.FlushEvents(t.Context()); err != nil || delivered.Load() != 3 {
			t.Errorf("%v, with %d events delivered", err, delivered.Load())
		}
	})
}

// TestAuditLogSaysFromWhereAndHowMany shows the address and the count of an event.
func TestAuditLogSaysFromWhereAndHowMany(t *testing.T) {
	s := testapp.New(t, store.NewMemory())
	b := s.SignedIn(t, "ann")
	got := s.Log.Last(t)
	if got["client.address"] != "127.0.0.1" || got["count"] != 1.0 {
		t.Errorf("a sign-in is logged as %v", got)
	}
	s.SignedIn(t, "ann")
	s.SignedIn(t, "ann")
	b.Delete(testapp.APIPath)
	if got := s.Log.Last(t); got["client.address"] != "127.0.0.1" || got["count"] != 2.0 {
		t.Errorf("two revocations are logged as %v", got)
	}
}

// TestAuditLogHasNoEmptyAttributes shows that an event is logged with what is
// known of it, and nothing else.
func TestAuditLogHasNoEmptyAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		check := func(kind string) {
			t.Helper()
			last := app.Log.Last(t)
			if last["event.name"] != "session."+kind {
				t.Errorf("%v, want %s", last, kind)
			}
			for name, value := range last {
				if value == "" {
					t.Errorf("%s is logged with an empty %s", kind, name)
				}
			}
		}
		b := app.SignedIn(t, "ann")
		check("signed_in")
		old := app.BrowserWith(t, b.Cookie)
		b.Post("/renew")
		b.Get("/me")
		time.Sleep(2 * time.Minute)
		old.Get("/me")
		check("suspicious")
		app.Sessions.RevokeAll(context.Background(), "ann")
		b.Peer = "198.51.100.7"
		b.Get("/me")
		check("suspicious")
	})
}
