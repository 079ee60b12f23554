package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// handlers and prefix are where each server has the three handlers, and the API.
const (
	handlers = "/sessions"
	prefix   = "/api/auth/sessions"
)

// TestRouters asks each router the same.
func TestRouters(t *testing.T) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, test := range []struct {
				name string
				run  func(*testing.T, app)
			}{
				{"a sign-in opens the protected page, and a visitor gets 401", signsIn},
				{"the three handlers list and revoke", func(t *testing.T, a app) { listsAndRevokes(t, a, handlers) }},
				{"the API under a prefix lists and revokes", func(t *testing.T, a app) { listsAndRevokes(t, a, prefix) }},
				{"an empty id ends nothing on a route", func(t *testing.T, a app) { emptyID(t, a, handlers) }},
				{"an empty id ends nothing under a prefix", func(t *testing.T, a app) { emptyID(t, a, prefix) }},
				{"the page lists, and its form revokes", pageRevokes},
				{"the session is saved before the first byte, which is sent at once", savedFirst},
				{"a store that fails leaves nothing of the response", storeFails},
			} {
				t.Run(test.name, func(t *testing.T) { test.run(t, serve(t, server)) })
			}
		})
	}
}

func signsIn(t *testing.T, a app) {
	a.browser(t).wants("GET", "/me", http.StatusUnauthorized)
	ann := a.signedIn(t)
	if got := ann.wants("GET", "/me", http.StatusOK); got != "Hello, ann.\n" {
		t.Errorf("the protected page: %q", got)
	}
}

func listsAndRevokes(t *testing.T, a app, path string) {
	laptop, phone, tablet := a.signedIn(t), a.signedIn(t), a.signedIn(t)
	if ids := laptop.list(path); len(ids) != 3 {
		t.Fatalf("%d sessions are listed", len(ids))
	}
	phoneID := phone.list(path)[0]
	if got := laptop.wants("DELETE", path+"/"+phoneID, http.StatusOK); !strings.Contains(got, phoneID) {
		t.Errorf("revoked: %s", got)
	}
	phone.wants("GET", "/me", http.StatusUnauthorized)
	tablet.wants("GET", "/me", http.StatusOK)
	laptop.wants("DELETE", path+"/"+phoneID, http.StatusNotFound)

	if got := laptop.wants("DELETE", path, http.StatusOK); !strings.Contains(got, `"count":1`) {
		t.Errorf("revoked: %s", got)
	}
	tablet.wants("GET", "/me", http.StatusUnauthorized)
	laptop.wants("GET", "/me", http.StatusOK)
}

func emptyID(t *testing.T, a app, path string) {
	laptop, phone := a.signedIn(t), a.signedIn(t)
	laptop.wants("DELETE", path+"/", http.StatusNotFound)
	phone.wants("GET", "/me", http.StatusOK)
}

func pageRevokes(t *testing.T, a app) {
	laptop, phone := a.signedIn(t), a.signedIn(t)
	if got := laptop.wants("GET", "/account/sessions", http.StatusOK); !strings.Contains(got, "<h1") {
		t.Errorf("the page: %s", got)
	}
	got := laptop.submits("/account/sessions", url.Values{"session": {phone.list(prefix)[0]}}, http.StatusOK)
	if !strings.Contains(got, "Signed out of") { // after the redirect
		t.Errorf("the page after the form: %s", got)
	}
	phone.wants("GET", "/me", http.StatusUnauthorized)
}

func savedFirst(t *testing.T, a app) {
	b := a.browser(t)
	ctx, leave := context.WithTimeout(t.Context(), time.Minute) // or a lost first byte hangs
	defer leave()
	r, _ := http.NewRequestWithContext(ctx, "POST", a.url+"/login/stream", strings.NewReader("user=ann"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != "Signed in.\n" {
		t.Fatalf("%q, %v", line, err)
	}
	b.wants("GET", "/me", http.StatusOK) // the handler still runs
}

func storeFails(t *testing.T, a app) {
	b := a.browser(t)
	a.store.fails = true
	got := b.submits("/login", url.Values{"user": {"ann"}}, http.StatusServiceUnavailable)
	if !strings.Contains(got, "store_unavailable") || strings.Contains(got, "Signed in") {
		t.Errorf("the response: %s", got)
	}
}

// An app is one of the servers, and the store that it keeps its sessions in.
type app struct {
	url   string
	store *brittleStore
}

func serve(t *testing.T, server func(*revoke.Manager) http.Handler) app {
	st := &brittleStore{Store: store.NewMemory()}
	sessions := revoke.New(scs.New(), st)
	sessions.Logger = slog.New(slog.DiscardHandler)
	s := httptest.NewServer(server(sessions))
	t.Cleanup(s.Close)
	return app{s.URL, st}
}

// A brittleStore fails to create sessions if it is told to.
type brittleStore struct {
	store.Store
	fails bool
}

func (s *brittleStore) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	if s.fails {
		return nil, io.ErrUnexpectedEOF
	}
	return s.Store.Create(ctx, r, limit)
}

// A browser keeps its cookies, and follows redirects.
type browser struct {
	*http.Client
	t   *testing.T
	url string
}

func (a app) browser(t *testing.T) browser {
	jar, _ := cookiejar.New(nil) // without options it does not fail
	return browser{&http.Client{Jar: jar}, t, a.url}
}

// signedIn returns a browser in which ann has signed in.
func (a app) signedIn(t *testing.T) browser {
	t.Helper()
	b := a.browser(t)
	b.submits("/login", url.Values{"user": {"ann"}}, http.StatusOK)
	return b
}

// wants sends a request, and returns the body of the response.
func (b browser) wants(method, path string, status int) string {
	b.t.Helper()
	r, _ := http.NewRequest(method, b.url+path, nil)
	return b.read(r, status)
}

// submits sends a form, and returns the body of the response.
func (b browser) submits(path string, form url.Values, status int) string {
	b.t.Helper()
	r, _ := http.NewRequest("POST", b.url+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.read(r, status)
}

func (b browser) read(r *http.Request, status int) string {
	b.t.Helper()
	resp, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		b.t.Fatalf("%s %s: %d, want %d: %s, %v", r.Method, r.URL.Path, resp.StatusCode, status, body, err)
	}
	return string(body)
}

// list returns the ids of the sessions, the browser's own first.
func (b browser) list(path string) (ids []string) {
	b.t.Helper()
	var list struct{ Sessions []struct{ ID string } }
	if err := json.Unmarshal([]byte(b.wants("GET", path, http.StatusOK)), &list); err != nil {
		b.t.Fatal(err)
	}
	for _, s := range list.Sessions {
		ids = append(ids, s.ID)
	}
	return ids
}
