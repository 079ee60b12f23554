package revoke_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// TestTimesAreUTC shows that no time needs to be guessed at, wherever the server
// is.
func TestTimesAreUTC(t *testing.T) {
	events := make(chan revoke.Event, 1)
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.sessions.OnEvent = func(e revoke.Event) { events <- e }
	})
	b := s.signedIn(t, "ann")
	if e := <-events; e.Time.Location() != time.UTC || time.Since(e.Time) > time.Minute {
		t.Errorf("an event at %v", e.Time)
	}
	var line struct{ Time string }
	if err := json.Unmarshal([]byte(s.log.String()), &line); err != nil {
		t.Fatal(err)
	}
	if at, err := time.Parse(time.RFC3339, line.Time); err != nil || time.Since(at) > time.Minute {
		t.Errorf("logged at %q: %v", line.Time, err)
	}
	var reply struct{ Sessions []map[string]any }
	json.Unmarshal([]byte(b.get(apiPath).body), &reply)
	for _, key := range []string{"created_at", "last_seen_at", "expires_at"} {
		if at, _ := reply.Sessions[0][key].(string); !strings.HasSuffix(at, "Z") {
			t.Errorf("%s is %q", key, at)
		}
	}
}

func TestCookieIsOpaque(t *testing.T) {
	const user = "annsmithexamplecom"
	cookie := newServer(t, store.NewMemory()).signedIn(t, user).cookie
	for _, part := range append(strings.Split(cookie, "."), cookie) {
		decoded, _ := base64.RawURLEncoding.DecodeString(part)
		for _, text := range []string{strings.ToLower(part), string(decoded)} {
			if strings.Contains(text, user[:8]) || strings.Contains(text, user[8:]) {
				t.Errorf("the cookie %q names %s", cookie, user)
			}
		}
	}
}

// TestProofBeginsANewLifetime shows that users who prove again who they are need
// not do so again for as long as after a sign-in.
func TestProofBeginsANewLifetime(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		s.sm.Lifetime, s.sm.IdleTimeout = 12*time.Hour, 30*time.Minute
		token := s.signIn("/login")
		use := func(d time.Duration) {
			for range d / (20 * time.Minute) {
				time.Sleep(20 * time.Minute)
				if !s.opens(token) {
					t.Fatal("expired early")
				}
			}
		}
		use(11 * time.Hour)
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/", nil)
		r.AddCookie(&http.Cookie{Name: s.sm.Cookie.Name, Value: token})
		s.sessions.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := s.sessions.Reauthenticated(r.Context()); err != nil {
				t.Error(err)
			}
		})).ServeHTTP(w, r)
		token = w.Result().Cookies()[0].Value
		use(11*time.Hour + 40*time.Minute)
		time.Sleep(21 * time.Minute)
		if s.opens(token) {
			t.Error("the session outlives a lifetime after its last proof")
		}
	})
}
