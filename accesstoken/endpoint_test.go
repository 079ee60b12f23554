package accesstoken_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// TestExchange is the life of an app's session, from sign-in to its end.
func TestExchange(t *testing.T) {
	st := store.NewMemory()
	s := newSite(t, st, edKey()).serve()
	service := s.service(st)
	first := s.issue("ann")
	got := s.exchange(first)
	if got.status != http.StatusOK || got.Type != "Bearer" || got.Expires < 290 || got.Expires > 300 || got.Refresh == first {
		t.Fatalf("exchange: %+v", got)
	}
	if again := s.exchange(first); again.Refresh != got.Refresh || again.Access == got.Access {
		t.Errorf("asked again, as the answer was lost: %+v", again)
	}
	for _, url := range []string{s.url + "/me", service.url} {
		if me := ask(t, "GET", url, bearer(got.Access), nil); me.status != http.StatusOK || me.body != "ann" {
			t.Errorf("%s: %+v", url, me)
		}
	}
	if list := ask(t, "GET", s.url+"/sessions", bearer(got.Access), nil); !strings.Contains(list.body, `"current":true`) || !strings.Contains(list.body, `"token":true`) {
		t.Errorf("list: %+v", list)
	}

	other := s.exchange(s.issue("ann"))
	if got := ask(t, "DELETE", s.url+"/sessions", bearer(got.Access), nil); got.status != http.StatusOK || !strings.Contains(got.body, `"count":1`) {
		t.Errorf("revoke others: %+v", got)
	}
	if got := s.exchange(other.Refresh); got.status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("exchange by the other: %+v", got)
	}
	if got := ask(t, "GET", service.url, bearer(other.Access), nil); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "session_revoked") {
		t.Errorf("the other at the service: %+v", got)
	}
	next := s.exchange(got.Refresh)
	if next.status != http.StatusOK || next.Refresh != got.Refresh || next.Access == got.Access {
		t.Errorf("exchange again, within a minute: %+v", next)
	}

	if got := ask(t, "POST", s.url+"/leave", bearer(got.Access), nil); got.status != http.StatusOK {
		t.Errorf("sign out: %+v", got)
	}
	if got := s.exchange(next.Refresh); got.status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("exchange after it: %+v", got)
	}
	for _, access := range []string{got.Access, next.Access} {
		if got := ask(t, "GET", service.url, bearer(access), nil); got.status != http.StatusUnauthorized {
			t.Errorf("at the service after it: %+v", got)
		}
	}
}

// TestKindsDoNotMix presents each kind of token where another is asked for.
func TestKindsDoNotMix(t *testing.T) {
	st := store.NewMemory()
	s := newSite(t, st, edKey()).serve()
	service := s.service(st)
	refresh, access := s.issue("ann"), s.access("ann")
	login := ask(t, "POST", s.url+"/login?user=ann", nil, nil)
	cookie, _, _ := strings.Cut(strings.TrimPrefix(login.header.Get("Set-Cookie"), "session="), ";")
	for name, token := range map[string]string{"an access token": access, "a cookie": cookie} {
		if got := s.exchange(token); got.status != http.StatusBadRequest || got.Error != "invalid_grant" {
			t.Errorf("%s is exchanged: %+v", name, got)
		}
	}
	for name, token := range map[string]string{"a refresh token": refresh, "a cookie": cookie} {
		if got := ask(t, "GET", service.url, bearer(token), nil); got.status != http.StatusUnauthorized {
			t.Errorf("%s at a service: %+v", name, got)
		}
		if s.introspect(token) {
			t.Errorf("%s is active", name)
		}
	}
	if got := ask(t, "GET", s.url+"/me", http.Header{"Cookie": {"session=" + access}}, nil); got.status != http.StatusUnauthorized {
		t.Errorf("an access token in a cookie: %+v", got)
	}
}

func TestTokenEndpointErrors(t *testing.T) {
	s := newSite(t, store.NewMemory(), edKey()).serve()
	refresh := s.issue("ann")
	const form = "application/x-www-form-urlencoded"
	good := "grant_type=refresh_token&refresh_token=" + refresh
	for _, test := range []struct {
		name, method, contentType, query, body string
		status                                 int
		code                                   string
	}{
		{"nothing", "POST", form, "", "", 400, "invalid_request"},
		{"another grant", "POST", form, "", "grant_type=password&username=ann&password=x", 400, "unsupported_grant_type"},
		{"no grant", "POST", form, "", "refresh_token=" + refresh, 400, "invalid_request"},
		{"no token", "POST", form, "", "grant_type=refresh_token", 400, "invalid_request"},
		{"an empty token", "POST", form, "", "grant_type=refresh_token&refresh_token=", 400, "invalid_request"},
		{"rubbish", "POST", form, "", "grant_type=refresh_token&refresh_token=x", 400, "invalid_grant"},
		{"two tokens", "POST", form, "", good + "&refresh_token=" + refresh, 400, "invalid_request"},
		{"two grants", "POST", form, "", good + "&grant_type=refresh_token", 400, "invalid_request"},
		{"twice what is not known", "POST", form, "", good + "&x=1&x=2", 400, "invalid_request"},
		{"malformed", "POST", form, "", good + "&x=%zz", 400, "invalid_request"},
		{"in the address", "POST", form, "?" + good, "", 400, "invalid_request"},
		{"JSON", "POST", "application/json", "", `{"grant_type":"refresh_token","refresh_token":"` + refresh + `"}`, 400, "invalid_request"},
		{"no content type", "POST", "", "", good, 400, "invalid_request"},
		{"multipart", "POST", "multipart/form-data; boundary=x", "", good, 400, "invalid_request"},
		{"too long", "POST", form, "", good + "&x=" + strings.Repeat("x", 8<<10), 400, "invalid_request"},
		{"GET", "GET", form, "?" + good, "", 405, "invalid_request"},
		{"PUT", "PUT", form, "", good, 405, "invalid_request"},
		{"good", "POST", form + "; charset=utf-8", "", good + "&client_id=app", 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, _ := http.NewRequest(test.method, s.url+"/token"+test.query, strings.NewReader(test.body))
			if test.contentType != "" {
				r.Header.Set("Content-Type", test.contentType)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			var got granted
			if err := json.Unmarshal(body, &got); err != nil || resp.StatusCode != test.status || got.Error != test.code {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			h := resp.Header
			if h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" || h.Get("Content-Type") != "application/json" || h.Get("Set-Cookie") != "" {
				t.Errorf("header %v", h)
			}
		})
	}
}

// A failing is a store that is down.
type failing struct {
	store.Store
	mu   sync.Mutex
	down bool
}

func (f *failing) set(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

func (f *failing) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return errors.New("store is down")
	}
	return nil
}

func (f *failing) Find(ctx context.Context, user, id string) (store.Record, error) {
	if err := f.err(); err != nil {
		return store.Record{}, err
	}
	return f.Store.Find(ctx, user, id)
}

func (f *failing) List(ctx context.Context, user string) ([]store.Record, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.Store.List(ctx, user)
}

// TestStoreDown shows that no client is told to throw a good token away.
func TestStoreDown(t *testing.T) {
	st := &failing{Store: store.NewMemory()}
	s := newSite(t, st, edKey()).serve()
	service := s.service(st)
	refresh, access := s.issue("ann"), s.access("ann")
	st.set(true)
	if got := s.exchange(refresh); got.status != http.StatusServiceUnavailable || got.Error != "temporarily_unavailable" {
		t.Errorf("exchange: %+v", got)
	}
	introspected := ask(t, "POST", s.url+"/introspect", http.Header{"X-Service": {"api"}}, url.Values{"token": {access}})
	for name, got := range map[string]answer{
		"service":    ask(t, "GET", service.url, bearer(access), nil),
		"site":       ask(t, "GET", s.url+"/me", bearer(access), nil),
		"introspect": introspected,
	} {
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	st.set(false)
	if got := s.exchange(refresh); got.status != http.StatusOK {
		t.Errorf("exchange when it is back: %+v", got)
	}
	if got := ask(t, "GET", service.url, bearer(access), nil); got.status != http.StatusOK {
		t.Errorf("service when it is back: %+v", got)
	}
}

// TestMintAfterRevoke shows that a token that was minted for a session while it was
// revoked opens nothing: it names the session.
func TestMintAfterRevoke(t *testing.T) {
	st := store.NewMemory()
	s := newSite(t, st, edKey())
	var minted string
	s.handler = s.sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, ok := s.sessions.Current(r.Context())
		if !ok {
			if err := s.sessions.Login(r.Context(), "ann"); err != nil {
				t.Error(err)
			}
			return
		}
		if err := s.sessions.Revoke(context.WithoutCancel(t.Context()), session.UserID, session.ID); err != nil {
			t.Error(err)
		}
		minted, _, _ = s.tokens.Mint(r.Context()) // in flight: it may not have heard
	}))
	s.serve()
	login := ask(t, "POST", s.url, nil, nil)
	ask(t, "POST", s.url, http.Header{"Cookie": {login.header.Get("Set-Cookie")}}, nil)
	if minted == "" {
		t.Fatal("nothing was minted")
	}
	if _, err := s.tokens.Verifier().Verify(t.Context(), minted); !errors.Is(err, revoke.ErrRevoked) {
		t.Errorf("a token minted after the answer: %v", err)
	}
}

// TestTokenEndpointIsLimited shows that who asks too often is told to wait, and not that
// the session is over.
func TestTokenEndpointIsLimited(t *testing.T) {
	s := newSite(t, store.NewMemory(), edKey())
	s.sessions.Limiter = revoke.NewLimiter(1, time.Hour)
	s.serve()
	refresh := s.issue("ann")
	if got := s.exchange(refresh); got.status != http.StatusOK {
		t.Fatalf("first: %+v", got)
	}
	got := ask(t, "POST", s.url+"/token", nil, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "temporarily_unavailable") {
		t.Errorf("second: %+v", got)
	}
	for range 2 {
		got = ask(t, "POST", s.url+"/token", nil, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rubbish"}})
	}
	if got.status != http.StatusTooManyRequests {
		t.Errorf("rubbish: %+v", got)
	}
}

// TestClientGoneIsNoFailure shows that a client which hangs up raises no alarm.
func TestClientGoneIsNoFailure(t *testing.T) {
	st := store.NewMemory()
	s := newSite(t, st, edKey()).serve()
	token := s.access("ann")
	var log strings.Builder
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(over, "GET", "/", nil)
	r.Header = bearer(token)
	s.tokens.Verifier().Middleware(greeting).ServeHTTP(httptest.NewRecorder(), r)
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.String())
	}
}
