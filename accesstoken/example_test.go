package accesstoken_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/store"
)

// A site signs an app in, and a service elsewhere takes the app's access token until the
// session ends.
func Example() {
	st := store.NewMemory() // Redis, if the service is in another process
	sessions := revoke.New(scs.New(), st)
	_, key, _ := ed25519.GenerateKey(nil) // from where your secrets are
	tokens, err := accesstoken.New(sessions, accesstoken.Config{
		Issuer: "https://id.example", Audience: "https://api.example", Keys: []crypto.Signer{key},
	})
	if err != nil {
		log.Fatal(err)
	}
	sessions.Bearer = true
	sessions.Authenticate = tokens.Authenticate

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		token, err := sessions.Issue(r.Context(), "ann") // whose password was checked
		if err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		fmt.Fprint(w, token)
	})
	mux.Handle("POST /token", tokens.Handler())
	mux.Handle("GET /jwks", tokens.JWKS())
	site := httptest.NewServer(sessions.Track(mux))
	defer site.Close()

	// The service.
	v := accesstoken.NewVerifier("https://id.example", "https://api.example", site.URL+"/jwks", revoke.LiveIn(st))
	service := httptest.NewServer(v.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "Notes of ", accesstoken.From(r.Context()).Subject)
	})))
	defer service.Close()

	// The app.
	refresh := post(site.URL+"/login", nil)
	answer := post(site.URL+"/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	access := member(answer, "access_token")
	fmt.Println(get(service.URL, access))

	// The user ends the session.
	if _, err := sessions.RevokeAll(context.Background(), "ann"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(get(service.URL, access))
	// Output:
	// 200 Notes of ann
	// 401 session_revoked
}

// A backend calls a service for the page of a browser, which has a cookie and no token.
func ExampleTokens_Mint() {
	var (
		sessions *revoke.Manager     // as made above
		tokens   *accesstoken.Tokens // as made above
		mux      = http.NewServeMux()
	)
	service, _ := url.Parse("http://10.0.0.7:5000")
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(service)
		p.Out.Header.Del("Cookie")
		p.Out.Header.Del("Authorization")
		if token, _, err := tokens.Mint(p.In.Context()); err == nil {
			p.Out.Header.Set("Authorization", "Bearer "+token)
		}
	}}
	// Other sites can have the browser send its cookie, so they are kept out.
	mux.Handle("/api/", sessions.Require(http.NewCrossOriginProtection().Handler(proxy)))
}

func post(url string, form url.Values) string {
	resp, err := http.PostForm(url, form)
	return read(resp, err)
}

func get(url, token string) string {
	r, _ := http.NewRequest("GET", url, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	body := read(resp, err)
	if resp.StatusCode != http.StatusOK {
		body = member(body, "code")
	}
	return fmt.Sprint(resp.StatusCode, " ", body)
}

func read(resp *http.Response, err error) string {
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

func member(text, name string) string {
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		log.Fatal(err)
	}
	return fmt.Sprint(members[name])
}
