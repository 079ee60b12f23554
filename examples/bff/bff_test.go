package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/revoke-sessions/revoke/internal/redistest"
)

// build compiles a program of this module.
func build(t *testing.T, dir string) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "program")
	if out, err := exec.Command("go", "build", "-o", binary, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// start runs a program, and returns the address that it prints.
func start(t *testing.T, binary string, args ...string) (url string) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	return regexp.MustCompile(`http://\S+`).FindString(line)
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

type browser struct {
	t *testing.T
	*http.Client
}

func newBrowser(t *testing.T) browser {
	jar, _ := cookiejar.New(nil)
	return browser{t, &http.Client{Jar: jar}}
}

func (b browser) do(method, address string, form url.Values, header ...string) (status int, body string) {
	b.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestBackend has two browsers of a user, a backend, and a service, each of the latter in
// a process of its own.
func TestBackend(t *testing.T) {
	redis := redistest.Start(t)
	address := freeAddress(t)
	issuer := "http://" + address
	service := start(t, build(t, "./service"), "-listen", "127.0.0.1:0", "-redis", redis.Addr, "-issuer", issuer)
	target, _ := url.Parse(service)
	var token atomic.Value // the last that the backend sent to the service
	wire := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		token.Store(p.In.Header.Get("Authorization"))
		p.SetURL(target)
	}})
	t.Cleanup(wire.Close)
	backend := start(t, build(t, "."), "-listen", address, "-redis", redis.Addr, "-service", wire.URL, "-issuer", issuer)
	notes := backend + "/api/notes"

	phone, laptop, nobody := newBrowser(t), newBrowser(t), newBrowser(t)
	for _, b := range []browser{phone, laptop} {
		if status, body := b.do("POST", backend+"/login", url.Values{"user": {"ann"}}); status != http.StatusOK {
			t.Fatalf("sign in: %d %s", status, body)
		}
		if status, body := b.do("GET", notes, nil); status != http.StatusOK || body != "Notes of ann.\n" {
			t.Errorf("notes: %d %s", status, body)
		}
	}
	for name, test := range map[string]struct {
		browser        browser
		method, url    string
		header         []string
		status         int
		bodyHasInIt    string
		bodyHasItNever string
	}{
		"nobody":                        {nobody, "GET", notes, nil, 401, "unauthenticated", "Notes"},
		"nobody at the service":         {nobody, "GET", service + "/api/notes", nil, 401, "unauthenticated", "Notes"},
		"a cookie at the service":       {phone, "GET", service + "/api/notes", nil, 401, "unauthenticated", "Notes"},
		"from another site":             {phone, "POST", notes, []string{"Sec-Fetch-Site", "cross-site"}, 403, "", "Notes"},
		"from the page":                 {phone, "POST", notes, []string{"Sec-Fetch-Site", "same-origin"}, 204, "", ""},
		"a token that the browser sets": {phone, "GET", notes, []string{"Authorization", "Bearer x"}, 200, "Notes of ann", ""},
		"no session, and a token":       {nobody, "GET", notes, []string{"Authorization", "Bearer x"}, 401, "unauthenticated", "Notes"},
		"the page":                      {phone, "GET", backend + "/notes/", nil, 200, `src="notes.js"`, ""},
		"the script of the page":        {phone, "GET", backend + "/notes/notes.js", nil, 200, `fetch("/api/notes")`, ""},
	} {
		status, body := test.browser.do(test.method, test.url, nil, test.header...)
		if status != test.status || !strings.Contains(body, test.bodyHasInIt) || test.bodyHasItNever != "" && strings.Contains(body, test.bodyHasItNever) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}

	phone.do("GET", notes, nil)
	ofPhone := token.Load().(string)
	if status, body := nobody.do("GET", service+"/api/notes", nil, "Authorization", ofPhone); status != http.StatusOK {
		t.Errorf("the token of the phone's session at the service: %d %s", status, body)
	}
	if status, body := laptop.do("DELETE", backend+"/api/auth/sessions", nil); status != http.StatusOK || !strings.Contains(body, `"count":1`) {
		t.Errorf("revoke others: %d %s", status, body)
	}
	if status, body := phone.do("GET", notes, nil); status != http.StatusUnauthorized || !strings.Contains(body, "session_revoked") {
		t.Errorf("notes after the end of the session: %d %s", status, body)
	}
	if status, body := nobody.do("GET", service+"/api/notes", nil, "Authorization", ofPhone); status != http.StatusUnauthorized || !strings.Contains(body, "session_revoked") {
		t.Errorf("its token at the service: %d %s", status, body)
	}
	if status, _ := laptop.do("GET", notes, nil); status != http.StatusOK {
		t.Errorf("notes in the other browser: %d", status)
	}
}
