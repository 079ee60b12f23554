package revoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

func TestRecentLogin(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		s.sessions.Authorize = revoke.RecentLogin(10 * time.Minute)
		api := s.sessions.Track(s.sessions.Handler(""))
		reauthenticate := s.sessions.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := s.sessions.Reauthenticated(r.Context()); err != nil {
				t.Error(err)
			}
		}))
		send := func(h http.Handler, method, path, token string) (*httptest.ResponseRecorder, string) {
			r := httptest.NewRequest(method, path, nil)
			r.AddCookie(&http.Cookie{Name: s.sm.Cookie.Name, Value: token})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			for _, c := range w.Result().Cookies() {
				token = c.Value
			}
			return w, token
		}
		token, other := s.signIn("/login"), s.signIn("/login")
		time.Sleep(11 * time.Minute)
		for _, path := range []string{"/", "/" + other[23:45], "/unknown"} {
			w, _ := send(api, "DELETE", path, token)
			var p struct {
				Code   string
				MaxAge int `json:"max_age"`
			}
			json.Unmarshal(w.Body.Bytes(), &p)
			if w.Code != http.StatusForbidden || p.Code != "reauthentication_required" || p.MaxAge != 600 {
				t.Errorf("%s with an old proof: %d %s", path, w.Code, w.Body)
			}
		}
		if !s.opens(other) {
			t.Error("a refused revocation revoked")
		}
		_, fresh := send(reauthenticate, "POST", "/", token)
		if fresh == token || s.opens(token) {
			t.Error("a renewed proof did not take a fresh token")
		}
		if w, _ := send(api, "DELETE", "/", fresh); w.Code != http.StatusOK || s.opens(other) {
			t.Errorf("with a renewed proof: %d %s", w.Code, w.Body)
		}
		time.Sleep(time.Hour)
		if w, _ := send(api, "DELETE", "/"+fresh[23:45], fresh); w.Code != http.StatusOK {
			t.Errorf("signing oneself out: %d %s", w.Code, w.Body)
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
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.sessions.Authorize = func(_ context.Context, a revoke.Action) error {
			actions = append(actions, a)
			return nil
		}
	})
	b, x, y := s.signedIn(t, "ann"), s.signedIn(t, "ann"), s.signedIn(t, "ann")
	stranger := s.signedIn(t, "bob")
	b.delete(apiPath + "/" + stranger.id())
	b.delete(apiPath + "/" + x.id())
	b.delete(apiPath)
	if len(actions) != 3 || len(actions[0].Targets) != 0 || len(actions[1].Targets) != 1 || len(actions[2].Targets) != 1 {
		t.Fatalf("asked about %+v", actions)
	}
	if actions[1].Targets[0].ID != x.id() || actions[2].Targets[0].ID != y.id() || actions[2].Session.ID != b.id() {
		t.Errorf("asked about %+v", actions)
	}
	if time.Since(actions[1].Session.ProvedAt) > time.Minute {
		t.Errorf("proved at %v", actions[1].Session.ProvedAt)
	}
}

func TestConfirm(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) { s.sessions.Confirm = true })
	b, other := s.signedIn(t, "ann"), s.signedIn(t, "ann")
	s.signedIn(t, "ann")
	for _, query := range []string{"", "?confirm", "?confirm=false", "?confirm=1"} {
		got := b.delete(apiPath + query)
		var p struct{ Count int }
		json.Unmarshal([]byte(got.body), &p)
		if got.status != http.StatusPreconditionRequired || problemCode(t, got) != "confirmation_required" || p.Count != 2 {
			t.Errorf("%q: %d %s", query, got.status, got.body)
		}
	}
	if other.get("/me").status != http.StatusOK {
		t.Fatal("revoked without being confirmed")
	}
	if got := b.delete(apiPath + "?confirm=true"); got.status != http.StatusOK || other.get("/me").status != http.StatusUnauthorized {
		t.Errorf("confirmed: %d %s", got.status, got.body)
	}
}
