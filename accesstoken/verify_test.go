package accesstoken_test

import (
	"crypto"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/store"
)

// TestMiddleware shows what a service answers: RFC 6750, section 3.
func TestMiddleware(t *testing.T) {
	st := store.NewMemory()
	s := newSite(t, st, edKey()).serve()
	service := s.service(st)
	live, ended := s.access("ann"), s.access("ann")
	c, err := service.Verify(t.Context(), ended)
	if err != nil {
		t.Fatal(err)
	}
	_, id, _ := strings.Cut(c.SID, ".")
	if err := s.sessions.Revoke(t.Context(), "ann", id); err != nil {
		t.Fatal(err)
	}
	const bad = `Bearer error="invalid_token"`
	for _, test := range []struct {
		name      string
		header    []string
		status    int
		challenge string
		code      string
	}{
		{"good", []string{"Bearer " + live}, 200, "", ""},
		{"small letters", []string{"bearer " + live}, 200, "", ""},
		{"several spaces", []string{"Bearer   " + live}, 200, "", ""},
		{"none", nil, 401, "Bearer", "unauthenticated"},
		{"another scheme", []string{"Basic " + live}, 401, "Bearer", "unauthenticated"},
		{"a longer scheme", []string{"Bearers " + live}, 401, "Bearer", "unauthenticated"},
		{"no token", []string{"Bearer"}, 401, bad, "unauthenticated"},
		{"an empty token", []string{"Bearer "}, 401, bad, "unauthenticated"},
		{"rubbish", []string{"Bearer x"}, 401, bad, "unauthenticated"},
		{"two tokens", []string{"Bearer " + live + " " + live}, 401, bad, "unauthenticated"},
		{"two headers", []string{"Bearer " + live, "Bearer " + live}, 401, bad, "unauthenticated"},
		{"two headers, one of another scheme", []string{"Basic x", "Bearer " + live}, 401, bad, "unauthenticated"},
		{"a comma", []string{"Bearer " + live + ",Basic x"}, 401, bad, "unauthenticated"},
		{"revoked", []string{"Bearer " + ended}, 401, bad + `, error_description="session revoked"`, "session_revoked"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, "GET", service.url, http.Header{"Authorization": test.header}, nil)
			var problem struct{ Code string }
			if test.code != "" {
				if err := json.Unmarshal([]byte(got.body), &problem); err != nil {
					t.Error(err)
				}
			}
			if got.status != test.status || got.header.Get("WWW-Authenticate") != test.challenge || problem.Code != test.code {
				t.Errorf("%+v", got)
			}
		})
	}
	if got := ask(t, "GET", service.url+"?access_token="+live, nil, nil); got.status != http.StatusUnauthorized {
		t.Errorf("a token in the address: %+v", got)
	}
	if got := ask(t, "POST", service.url, nil, url.Values{"access_token": {live}}); got.status != http.StatusUnauthorized {
		t.Errorf("a token in the body: %+v", got)
	}
	if accesstoken.From(t.Context()) != nil {
		t.Error("there are claims without a token")
	}
}

// TestWithoutLive shows that to go without the question is possible by its name only, and
// what it costs.
func TestWithoutLive(t *testing.T) {
	st := store.NewMemory()
	s := newSite(t, st, edKey()).serve()
	token := s.access("ann")
	v := accesstoken.NewVerifier(issuer, audience, s.url+"/jwks", nil)
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, revoke.ErrMisconfigured) {
		t.Errorf("without live: %v", err)
	}
	recorder := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = bearer(token)
	v.Middleware(greeting).ServeHTTP(recorder, r)
	if recorder.Code != http.StatusInternalServerError {
		t.Errorf("without live: %d", recorder.Code)
	}
	v.InsecureSkipLive = true
	if _, err := s.sessions.RevokeAll(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("with InsecureSkipLive: %v", err)
	}
	if _, err := s.tokens.Verifier().Verify(t.Context(), token); !errors.Is(err, revoke.ErrRevoked) {
		t.Errorf("asked: %v", err)
	}
}

// TestOtherAudience shows that two kinds of services with the same keys take no tokens of
// each other.
func TestOtherAudience(t *testing.T) {
	st, key := store.NewMemory(), edKey()
	s := newSite(t, st, key).serve()
	others, err := accesstoken.New(s.sessions, accesstoken.Config{Issuer: issuer, Audience: "https://other.example", Keys: []crypto.Signer{key}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := others.Verifier().Verify(t.Context(), s.access("ann")); !errors.Is(err, accesstoken.ErrInvalid) {
		t.Errorf("a token of the other audience: %v", err)
	}
}

// TestOtherSite shows that the tokens of one site open nothing of another that has the same
// keys and names, as a copy for tests has.
func TestOtherSite(t *testing.T) {
	key := edKey()
	a, b := newSite(t, store.NewMemory(), key).serve(), newSite(t, store.NewMemory(), key).serve()
	refresh, access := a.issue("ann"), a.access("ann")
	b.issue("ann")
	for _, token := range []string{refresh, access} {
		if got := ask(t, "GET", b.url+"/me", bearer(token), nil); got.status != http.StatusUnauthorized {
			t.Errorf("another site's token: %+v", got)
		}
	}
	if got := b.exchange(refresh); got.Error != "invalid_grant" {
		t.Errorf("exchange: %+v", got)
	}
	if b.introspect(access) {
		t.Error("it is active")
	}
}

// TestExpiry shows when a token ends: at its time, and never later than its session.
func TestExpiry(t *testing.T) {
	st := store.NewMemory()
	s := newSite(t, st, edKey())
	s.sm.Lifetime = 2 * time.Minute
	s.serve()
	got := s.exchange(s.issue("ann"))
	if got.Expires < 110 || got.Expires > 120 {
		t.Errorf("a token of a session that ends sooner: %+v", got)
	}
	c, err := s.tokens.Verifier().Verify(t.Context(), got.Access)
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := s.sessions.List(t.Context(), "ann")
	if err != nil || c.ExpiresAt > sessions[0].ExpiresAt.Unix() || c.SID != s.sessions.SID(sessions[0]) {
		t.Errorf("%+v for %+v, %v", c, sessions, err)
	}
	if c.Issuer != issuer || c.Audience != audience || c.Subject != "ann" || c.ClientID != audience || c.ID == "" || time.Since(time.Unix(c.IssuedAt, 0)) > time.Minute {
		t.Errorf("claims %+v", c)
	}
}

// TestMint has a backend call a service for the page of a browser.
func TestMint(t *testing.T) {
	st := store.NewMemory()
	s := newSite(t, st, edKey()).serve()
	service := s.service(st)
	login := ask(t, "POST", s.url+"/login?user=ann", nil, nil)
	cookie := http.Header{"Cookie": {strings.Split(login.header.Get("Set-Cookie"), ";")[0]}}
	minted := ask(t, "POST", s.url+"/mint", cookie, nil)
	if minted.status != http.StatusOK {
		t.Fatalf("mint: %+v", minted)
	}
	if got := ask(t, "GET", service.url, bearer(minted.body), nil); got.body != "ann" {
		t.Errorf("service: %+v", got)
	}
	if got := ask(t, "POST", s.url+"/mint", nil, nil); got.status != http.StatusUnauthorized {
		t.Errorf("mint without a session: %+v", got)
	}
	if _, err := s.sessions.RevokeAll(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, "GET", service.url, bearer(minted.body), nil); got.status != http.StatusUnauthorized || !strings.Contains(got.body, "session_revoked") {
		t.Errorf("service after the end of the browser's session: %+v", got)
	}
	if got := ask(t, "POST", s.url+"/mint", cookie, nil); got.status != http.StatusUnauthorized {
		t.Errorf("mint after it: %+v", got)
	}
}

// TestUserIDs shows that no two users get tokens with the same subject.
func TestUserIDs(t *testing.T) {
	s := newSite(t, store.NewMemory(), edKey()).serve()
	for name, test := range map[string]struct {
		user string
		ok   bool
	}{
		"letters":          {"Ann <ann@id.example> & 吉田\u2028\x00", true},
		"bytes":            {"\xff\x01", false},
		"half a surrogate": {"\xed\xa0\x80", false},
	} {
		got := s.exchange(s.issue(url.QueryEscape(test.user)))
		if !test.ok {
			if got.status != http.StatusInternalServerError || got.Error != "server_error" {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if c, err := s.tokens.Verifier().Verify(t.Context(), got.Access); err != nil || c.Subject != test.user {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		if me := ask(t, "GET", s.url+"/me", bearer(got.Access), nil); me.body != test.user {
			t.Errorf("%s: %+v", name, me)
		}
	}
}

func TestIntrospection(t *testing.T) {
	s := newSite(t, store.NewMemory(), edKey()).serve()
	token := s.access("ann")
	service := http.Header{"X-Service": {"api"}}
	post := func(header http.Header, form url.Values) answer {
		return ask(t, "POST", s.url+"/introspect", header, form)
	}

	got := post(service, url.Values{"token": {token}, "token_type_hint": {"access_token"}})
	var claims map[string]any
	if err := json.Unmarshal([]byte(got.body), &claims); err != nil || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%+v, %v", got, err)
	}
	c, _ := s.tokens.Verifier().Verify(t.Context(), token)
	for name, want := range map[string]any{
		"active": true, "token_type": "Bearer", "iss": issuer, "sub": "ann", "aud": audience, "client_id": audience,
		"sid": c.SID, "jti": c.ID, "iat": float64(c.IssuedAt), "exp": float64(c.ExpiresAt),
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if len(claims) != 10 {
		t.Errorf("claims %v", claims)
	}
	for name, test := range map[string]struct {
		got    answer
		status int
		code   string
	}{
		"a stranger asks":          {post(nil, url.Values{"token": {token}}), 401, "invalid_client"},
		"a stranger asks nonsense": {post(nil, url.Values{}), 401, "invalid_client"},
		"no token":                 {post(service, url.Values{}), 400, "invalid_request"},
		"two tokens":               {post(service, url.Values{"token": {token, token}}), 400, "invalid_request"},
		"GET":                      {ask(t, "GET", s.url+"/introspect?token="+token, service, nil), 405, "invalid_request"},
	} {
		if test.got.status != test.status || !strings.Contains(test.got.body, test.code) || strings.Contains(test.got.body, "ann") {
			t.Errorf("%s: %+v", name, test.got)
		}
	}
	if _, err := s.sessions.RevokeAll(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	if got := post(service, url.Values{"token": {token}}); got.status != http.StatusOK || got.body != "{\"active\":false}\n" {
		t.Errorf("after the revocation: %+v", got)
	}
}

// TestIntrospectionAsksTheStore shows that its answer is not from memory, or else who
// keeps it for a lease would say yes after the revocation was answered.
func TestIntrospectionAsksTheStore(t *testing.T) {
	memory := store.NewMemory()
	s := newSite(t, store.Lease(memory, time.Hour), edKey()).serve()
	token := s.access("ann")
	v := s.tokens.Verifier()
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	c, _ := v.Verify(t.Context(), token)
	user, id, _ := strings.Cut(c.SID, ".")
	if _, err := memory.Revoke(t.Context(), user, id, store.Revocation{At: time.Now()}); err != nil { // by a process that waits still
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("the lease does not hold, so this shows nothing: %v", err)
	}
	if s.introspect(token) {
		t.Error("the answer is from memory")
	}
}
