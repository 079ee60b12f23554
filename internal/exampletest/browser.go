package exampletest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// A Browser has cookies. They do not tell ports apart.
type Browser struct {
	*http.Client
	Accept string // the header; none if empty, as curl has it

	t testing.TB
}

// NewBrowser returns a browser that knows no site.
func NewBrowser(t testing.TB) *Browser {
	jar, _ := cookiejar.New(nil)
	return &Browser{Client: &http.Client{Jar: jar}, t: t}
}

// Send sends a form, and returns the answer after all redirects.
func (b *Browser) Send(method, address string, form url.Values) (status int, body string) {
	b.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if b.Accept != "" {
		r.Header.Set("Accept", b.Accept)
	}
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(content)
}

// SignIn signs in at an example.
func (b *Browser) SignIn(address, user string) {
	b.t.Helper()
	if status, body := b.Send("POST", address+"/login", url.Values{"user": {user}}); status != http.StatusOK {
		b.t.Fatalf("sign-in: %d %s", status, body)
	}
}

// IDs returns the ids of the sessions that an example lists, the browser's own first.
func (b *Browser) IDs(address string) (ids []string) {
	b.t.Helper()
	_, body := b.Send("GET", address+"/api/auth/sessions", nil)
	var list struct{ Sessions []struct{ ID string } }
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Sessions) == 0 {
		b.t.Fatalf("the list: %s", body)
	}
	for _, session := range list.Sessions {
		ids = append(ids, session.ID)
	}
	return ids
}
