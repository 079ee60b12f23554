package testapp

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Firefox is the user agent of a [Browser], unless its Header says otherwise.
const Firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// A Browser keeps the session's cookie, as a browser does, but never lets it
// expire: what is over must be so by itself.
type Browser struct {
	App    *App   // to which it sends its requests
	Cookie string // the value of the session's cookie
	Header http.Header
	Peer   string // the address that it comes from, if the App is not served

	t testing.TB
}

// Browser returns a browser without a cookie.
func (a *App) Browser(t testing.TB) *Browser { return a.BrowserWith(t, "") }

// BrowserWith returns a browser with a cookie: another's, or one from before.
func (a *App) BrowserWith(t testing.TB, cookie string) *Browser {
	return &Browser{App: a, Cookie: cookie, Header: http.Header{"User-Agent": {Firefox}}, Peer: "192.0.2.1", t: t}
}

// SignedIn returns a browser in which the user has signed in.
func (a *App) SignedIn(t testing.TB, user string) *Browser {
	t.Helper()
	b := a.Browser(t)
	if got := b.Post("/login?user=" + user); got.Status != http.StatusOK {
		t.Fatalf("sign-in: %d %s", got.Status, got.Body)
	}
	if b.Cookie == "" {
		t.Fatal("sign-in set no cookie")
	}
	return b
}

// An Answer is what came of a request.
type Answer struct {
	Status int
	Body   string
	Header http.Header
	Cookie *http.Cookie // the session's, if the response sets or clears it
}

// Get, Post and Delete send a request without a body, and keep the cookie that
// the response sets.
func (b *Browser) Get(path string) Answer    { b.t.Helper(); return b.Do("GET", path) }
func (b *Browser) Post(path string) Answer   { b.t.Helper(); return b.Do("POST", path) }
func (b *Browser) Delete(path string) Answer { b.t.Helper(); return b.Do("DELETE", path) }

// Do does so with any method.
func (b *Browser) Do(method, path string) Answer {
	b.t.Helper()
	return b.keep(b.Send(method, path))
}

// Submit sends a form, as in "session=x&confirm=true", and keeps the cookie.
func (b *Browser) Submit(path, form string) Answer {
	b.t.Helper()
	r := b.request("POST", path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.keep(b.send(r))
}

// Send sends a request and does not keep the cookie. Several may be sent at once.
func (b *Browser) Send(method, path string) Answer {
	b.t.Helper()
	return b.send(b.request(method, path, nil))
}

// Opens reports whether the cookie opens the protected page.
func (b *Browser) Opens() bool {
	b.t.Helper()
	return b.Get("/me").Status == http.StatusOK
}

// ID returns the public id of the session, as the cookie has it.
func (b *Browser) ID() string {
	b.t.Helper()
	_, id, _ := b.parts()
	return id
}

// UserKey returns the user key in the cookie.
func (b *Browser) UserKey() string {
	b.t.Helper()
	user, _, _ := b.parts()
	return user
}

// Secret returns the secret in the cookie.
func (b *Browser) Secret() string {
	b.t.Helper()
	_, _, secret := b.parts()
	return secret
}

func (b *Browser) parts() (user, id, secret string) {
	b.t.Helper()
	parts := strings.Split(b.Cookie, ".")
	if len(parts) != 3 {
		b.t.Fatalf("%q is not the cookie of a session", b.Cookie)
	}
	return parts[0], parts[1], parts[2]
}

// Request returns a request of the browser's, for a test that sends it by itself.
func (b *Browser) Request(method, path string) *http.Request {
	b.t.Helper()
	return b.request(method, path, nil)
}

func (b *Browser) request(method, path string, body io.Reader) *http.Request {
	b.t.Helper()
	var r *http.Request
	if b.App.Server == nil {
		r = httptest.NewRequest(method, path, body)
		r.RemoteAddr = b.Peer + ":1234"
	} else {
		var err error
		if r, err = http.NewRequest(method, b.App.Server.URL+path, body); err != nil {
			b.t.Fatal(err)
		}
	}
	for name, values := range b.Header {
		r.Header[name] = append([]string(nil), values...)
	}
	if b.Cookie != "" {
		r.Header.Add("Cookie", b.App.SCS.Cookie.Name+"="+b.Cookie)
	}
	return r
}

func (b *Browser) send(r *http.Request) Answer {
	b.t.Helper()
	resp, err := b.roundTrip(r)
	if err != nil {
		b.t.Error(err)
		return Answer{}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Error(err)
	}
	got := Answer{Status: resp.StatusCode, Body: string(body), Header: resp.Header}
	for _, c := range resp.Cookies() {
		if c.Name == b.App.SCS.Cookie.Name {
			got.Cookie = c
		}
	}
	return got
}

func (b *Browser) roundTrip(r *http.Request) (*http.Response, error) {
	if b.App.Server != nil {
		return http.DefaultTransport.RoundTrip(r)
	}
	w := httptest.NewRecorder()
	b.App.Handler.ServeHTTP(w, r)
	return w.Result(), nil
}

func (b *Browser) keep(got Answer) Answer {
	if got.Cookie != nil {
		b.Cookie = got.Cookie.Value
	}
	return got
}

// Code returns the code of a problem (RFC 9457), and fails the test if the
// answer is not one as the API has them.
func (got Answer) Code(t testing.TB) string {
	t.Helper()
	if contentType := got.Header.Get("Content-Type"); contentType != "application/problem+json" {
		t.Errorf("Content-Type %q", contentType)
	}
	got.CheckHeaders(t)
	var p struct {
		Title, Detail, Code string
		Status              int
	}
	if err := json.Unmarshal([]byte(got.Body), &p); err != nil {
		t.Fatalf("%v in %q", err, got.Body)
	}
	if p.Status != got.Status || p.Title == "" || p.Detail == "" {
		t.Errorf("problem %q with status %d", got.Body, got.Status)
	}
	return p.Code
}

// CheckHeaders fails the test unless the answer has the headers that every
// answer of the library has.
func (got Answer) CheckHeaders(t testing.TB) {
	t.Helper()
	if cache := got.Header["Cache-Control"]; len(cache) == 0 || cache[0] != "no-store" {
		t.Errorf("Cache-Control %q", cache)
	}
	if nosniff := got.Header.Get("X-Content-Type-Options"); nosniff != "nosniff" {
		t.Errorf("X-Content-Type-Options %q", nosniff)
	}
}
