package revoke_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// kinds returns the kinds of the events in a log, in order.
func (l *logBuffer) kinds(t *testing.T) (kinds []string) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var e struct {
			Name string `json:"event.name"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, strings.TrimPrefix(e.Name, "session."))
	}
	return kinds
}

// TestAuditTrail shows that each thing that happens is logged exactly once.
func TestAuditTrail(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		var peer = "192.0.2.1"
		s := newServer(t, st, func(s *server) {
			s.sessions.MaxPerUser = 3
			s.sessions.Limiter = revoke.NewLimiter(4, time.Hour)
			s.handle("POST /renew", func(w http.ResponseWriter, r *http.Request) { s.sm.RenewToken(r.Context()) })
		})
		h := s.sessions.Track(s.mux)
		send := func(b *browser, method, path string, header ...string) {
			r := httptest.NewRequest(method, path, nil)
			r.RemoteAddr = peer + ":1"
			if b.cookie != "" {
				r.AddCookie(&http.Cookie{Name: "session", Value: b.cookie})
			}
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			for _, c := range w.Result().Cookies() {
				b.cookie = c.Value
			}
		}
		expect := func(want ...revoke.Kind) {
			t.Helper()
			got := s.log.kinds(t)
			var texts []string
			for _, k := range want {
				texts = append(texts, string(k))
			}
			if !slices.Equal(got, texts) {
				t.Errorf("logged %v, want %v", got, texts)
			}
			s.log.mu.Lock()
			s.log.b.Reset()
			s.log.mu.Unlock()
		}
		a, b, c, d := s.browser(t), s.browser(t), s.browser(t), s.browser(t)
		send(a, "POST", "/login?user=ann")
		expect(revoke.SignedIn)
		send(a, "GET", "/me")
		expect()
		send(a, "POST", "/renew")
		expect(revoke.Renewed)
		peer = "192.0.2.2"
		send(a, "GET", "/me")
		expect(revoke.AddressChanged)
		send(b, "POST", "/login?user=ann")
		send(c, "POST", "/login?user=ann")
		expect(revoke.SignedIn, revoke.SignedIn)
		time.Sleep(2 * time.Millisecond)
		send(d, "POST", "/login?user=ann")
		expect(revoke.SignedIn, revoke.Evicted)
		send(a, "GET", "/me")
		expect(revoke.RevokedTokenUsed, revoke.Suspicious)
		send(a, "GET", "/me")
		expect()
		peer = "192.0.2.3"
		send(a, "GET", "/me")
		expect(revoke.RevokedTokenUsed)
		peer = "192.0.2.2"
		send(d, "DELETE", apiPath+"/"+c.id())
		expect(revoke.Revoked)
		send(d, "DELETE", apiPath+"/"+c.id())
		expect(revoke.Refused)
		send(d, "DELETE", apiPath, "Sec-Fetch-Site", "cross-site")
		expect(revoke.CrossOriginRefused)
		send(d, "DELETE", apiPath)
		expect(revoke.RevokedOthers)
		s.sessions.Authorize = func(context.Context, revoke.Action) error { return &revoke.ReauthenticationError{} }
		send(d, "DELETE", apiPath)
		expect(revoke.StepUpRefused)
		send(d, "DELETE", apiPath)
		send(d, "DELETE", apiPath)
		expect(revoke.RateLimited)
		send(d, "POST", "/logout")
		expect(revoke.LoggedOut)
		s.sessions.RevokeAll(context.Background(), "ann")
		expect(revoke.RevokedAll)
		s.sessions.RevokeEveryone(context.Background())
		expect(revoke.RevokedEveryone)
	})
}

func TestNoTokenInEvents(t *testing.T) {
	var mu sync.Mutex
	var events []revoke.Event
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.sessions.OnEvent = func(e revoke.Event) {
			mu.Lock()
			events = append(events, e)
			mu.Unlock()
		}
	})
	var secrets []string
	for range 3 {
		b := s.signedIn(t, "ann")
		secrets = append(secrets, b.cookie[46:])
		b.delete(apiPath + "/" + b.cookie) // a token in the place of an id
		b.delete(apiPath)
		b.post("/logout")
	}
	mu.Lock()
	defer mu.Unlock()
	text := s.log.String() + fmt.Sprintf("%+v", events)
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Error("a token is in the log")
		}
	}
}

// TestHostileText shows that nothing a client sends can forge a line in a log,
// even one that escapes nothing.
func TestHostileText(t *testing.T) {
	hostile := "x\r\nlevel=INFO msg=\"session revoked\" user.id=admin\x1b[2J\u202e\u2066\x00" + strings.Repeat("é", 1<<20)
	var log bytes.Buffer
	m := revoke.New(scs.New(), store.NewMemory())
	m.Logger = slog.New(naiveHandler{&log})
	h := m.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.Login(r.Context(), hostile) }))
	r := httptest.NewRequest("POST", "/", nil)
	r.Header["User-Agent"] = []string{hostile}
	h.ServeHTTP(httptest.NewRecorder(), r)
	got := strings.TrimSuffix(log.String(), "\n")
	if got == "" || strings.ContainsAny(got, "\r\n\x1b\x00\u202e\u2066") {
		t.Errorf("logged %q", got[:200])
	}
	if len(got) > 2000 {
		t.Errorf("a line of %d bytes", len(got))
	}
	sessions, _ := m.List(t.Context(), hostile)
	if ua := sessions[0].UserAgent; len(ua) > 512 || strings.ContainsAny(ua, "\r\n\x1b\x00\u202e") {
		t.Errorf("a user agent of %d bytes: %q", len(ua), ua)
	}
}

// naiveHandler writes records as they are.
type naiveHandler struct{ out *bytes.Buffer }

func (naiveHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h naiveHandler) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h naiveHandler) WithGroup(string) slog.Handler          { return h }
func (h naiveHandler) Handle(_ context.Context, r slog.Record) error {
	fmt.Fprint(h.out, r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(h.out, " %s=%s", a.Key, a.Value); return true })
	fmt.Fprintln(h.out)
	return nil
}

func TestHookHarmsNoRequest(t *testing.T) {
	t.Run("panics", func(t *testing.T) {
		var mu sync.Mutex
		calls := 0
		s := newServer(t, store.NewMemory(), func(s *server) {
			s.sessions.OnEvent = func(revoke.Event) {
				mu.Lock()
				calls++
				mu.Unlock()
				panic("in the hook")
			}
		})
		for range 3 {
			s.signedIn(t, "ann")
		}
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
			mu.Lock()
			n := calls
			mu.Unlock()
			if n == 3 && strings.Count(s.log.String(), "in the hook") == 3 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d calls, log %s", n, s.log)
			}
		}
	})
	t.Run("blocks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			block := make(chan struct{})
			var log bytes.Buffer
			delivered := 0
			m := revoke.New(newPlainManager(), store.NewMemory())
			m.Logger = slog.New(slog.NewJSONHandler(&log, nil))
			m.OnEvent = func(revoke.Event) { <-block; delivered++ }
			for range 3000 {
				m.RevokeAll(t.Context(), "ann") // none of them waits
			}
			close(block)
			synctest.Wait()
			if delivered < 1024 || delivered > 2100 || !strings.Contains(log.String(), "missed events") {
				t.Errorf("%d delivered", delivered)
			}
		})
	})
}

func TestPatterns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		m := revoke.New(newPlainManager(), store.NewMemory())
		m.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		reasons := func(reason string) int { return strings.Count(log.String(), `"reason":"`+reason+`"`) }
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
		for i := range 100_000 {
			m.Revoke(t.Context(), fmt.Sprint("user", i), "AbCdEfGhIjKlMnOpQrStUv")
		}
		if n := revoke.PatternKeys(m); n > 20_000 {
			t.Errorf("%d keys remembered", n)
		}
	})
}
