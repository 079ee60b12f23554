package accesstoken_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

const (
	issuer   = "https://id.example"
	audience = "https://api.example"
)

func edKey() ed25519.PrivateKey {
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	return key
}

func ecKey() *ecdsa.PrivateKey {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return key
}

func rsaKey(bits int) *rsa.PrivateKey {
	key, _ := rsa.GenerateKey(rand.Reader, bits)
	return key
}

// A site signs users in and makes access tokens for a service.
type site struct {
	t        testing.TB
	sm       *scs.SessionManager
	sessions *revoke.Manager
	tokens   *accesstoken.Tokens
	handler  http.Handler
	url      string // once it is served
}

func newSite(t testing.TB, st store.Store, keys ...crypto.Signer) *site {
	t.Helper()
	return siteOver(t, scs.New(), st, keys...)
}

// siteInBubble is newSite for the inside of a synctest bubble.
func siteInBubble(t testing.TB, st store.Store, keys ...crypto.Signer) *site {
	t.Helper()
	return siteOver(t, testapp.NewSCS(), st, keys...)
}

func siteOver(t testing.TB, sm *scs.SessionManager, st store.Store, keys ...crypto.Signer) *site {
	t.Helper()
	s := &site{t: t, sm: sm}
	s.sessions = revoke.New(s.sm, st)
	s.sessions.Bearer = true
	s.sessions.Limiter = nil
	var err error
	s.tokens, err = accesstoken.New(s.sessions, accesstoken.Config{Issuer: issuer, Audience: audience, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	s.sessions.Authenticate = s.tokens.Authenticate

	mux := http.NewServeMux()
	mux.HandleFunc("POST /issue", func(w http.ResponseWriter, r *http.Request) {
		token, err := s.sessions.Issue(r.Context(), r.FormValue("user"))
		if err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		io.WriteString(w, token)
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s.sessions.Login(r.Context(), r.FormValue("user"))
	})
	mux.HandleFunc("POST /mint", func(w http.ResponseWriter, r *http.Request) {
		token, _, err := s.tokens.Mint(r.Context())
		if err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		io.WriteString(w, token)
	})
	mux.Handle("GET /me", s.sessions.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := s.sessions.Current(r.Context())
		fmt.Fprint(w, session.UserID)
	})))
	mux.HandleFunc("POST /leave", func(w http.ResponseWriter, r *http.Request) { s.sm.Destroy(r.Context()) })
	mux.Handle("/token", s.tokens.Handler())
	mux.Handle("GET /jwks", s.tokens.JWKS())
	mux.Handle("/introspect", s.tokens.Introspection(func(r *http.Request) bool { return r.Header.Get("X-Service") == "api" }))
	s.sessions.Mount(mux, "/sessions")
	s.handler = s.sessions.Track(mux)
	return s
}

func (s *site) serve() *site {
	server := httptest.NewServer(s.handler)
	s.t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// service is one in another process: it has the store and the keys of the site only.
func (s *site) service(st store.Store) *service {
	v := accesstoken.NewVerifier(issuer, audience, s.url+"/jwks", revoke.LiveIn(st))
	server := httptest.NewServer(v.Middleware(greeting))
	s.t.Cleanup(server.Close)
	return &service{v, server.URL}
}

var greeting = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, accesstoken.From(r.Context()).Subject)
})

type service struct {
	*accesstoken.Verifier
	url string
}

type answer struct {
	status int
	header http.Header
	body   string
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// ask sends a request, with a form unless that is nil.
func ask(t testing.TB, method, url string, header http.Header, form url.Values) answer {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		r.Header = header.Clone()
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// issue signs a user in from an app, and returns its first refresh token.
func (s *site) issue(user string) string {
	s.t.Helper()
	got := ask(s.t, "POST", s.url+"/issue?user="+user, nil, nil)
	if got.status != http.StatusOK {
		s.t.Fatalf("issue: %+v", got)
	}
	return got.body
}

// A granted is what the token endpoint answers.
type granted struct {
	status  int
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
}

func (s *site) exchange(refresh string) granted {
	s.t.Helper()
	got := ask(s.t, "POST", s.url+"/token", nil, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	g := granted{status: got.status}
	if err := json.Unmarshal([]byte(got.body), &g); err != nil {
		s.t.Fatal(err)
	}
	return g
}

// access returns an access token of a new session.
func (s *site) access(user string) string {
	s.t.Helper()
	g := s.exchange(s.issue(user))
	if g.status != http.StatusOK {
		s.t.Fatalf("exchange: %+v", g)
	}
	return g.Access
}

// introspect reports whether a token is active.
func (s *site) introspect(token string) bool {
	s.t.Helper()
	got := ask(s.t, "POST", s.url+"/introspect", http.Header{"X-Service": {"api"}}, url.Values{"token": {token}})
	var body struct{ Active *bool }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != http.StatusOK || body.Active == nil {
		s.t.Fatalf("introspect: %+v, %v", got, err)
	}
	return *body.Active
}

func serve(t testing.TB, h http.Handler) (url string) {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func p384Key() *ecdsa.PrivateKey {
	key, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	return key
}
