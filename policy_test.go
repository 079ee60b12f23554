package revoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
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
