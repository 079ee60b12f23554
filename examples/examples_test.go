// Package examples_test runs the examples as a user does.
package examples_test

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/revoke-sessions/revoke/internal/exampletest"
	"github.com/revoke-sessions/revoke/internal/redistest"
)

// tour does what the examples print, on two servers that share their sessions.
func tour(t *testing.T, here, there string) {
	phone, laptop := exampletest.NewBrowser(t), exampletest.NewBrowser(t)
	phone.SignIn(here, "ann")
	laptop.SignIn(there, "ann")
	id := phone.IDs(there)[0]
	if status, body := laptop.Send("DELETE", here+"/api/auth/sessions/"+id, nil); status != http.StatusOK {
		t.Errorf("revoke: %d %s", status, body)
	}
	if status, body := phone.Send("GET", there+"/me", nil); status != http.StatusUnauthorized || !strings.Contains(body, "revoked") {
		t.Errorf("the revoked jar: %d %s", status, body)
	}
	phone.SignIn(here, "ann")
	if status, body := laptop.Send("DELETE", here+"/api/auth/sessions", nil); status != http.StatusOK || !strings.Contains(body, `"count":1`) {
		t.Errorf("revoke others: %d %s", status, body)
	}
	if status, body := laptop.Send("GET", here+"/account/sessions", nil); status != http.StatusOK || !strings.Contains(body, "Where you") {
		t.Errorf("the page: %d %s", status, body)
	}
	if status, _ := laptop.Send("POST", here+"/logout", nil); status != http.StatusOK {
		t.Errorf("sign-out: %d", status)
	}
	if status, _ := laptop.Send("GET", here+"/me", nil); status != http.StatusUnauthorized {
		t.Errorf("after sign-out: %d", status)
	}
}

func TestBasic(t *testing.T) {
	address, _ := exampletest.Start(t, exampletest.Build(t, "basic"))
	tour(t, address, address)
}

// TestPrintedTour runs the commands that the example prints, as they stand there.
func TestPrintedTour(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil && os.Getenv("REVOKE_REAL") == "" {
		t.Skip("there is no curl")
	}
	var log strings.Builder
	_, printed, stop := exampletest.StartLogged(t, &log, exampletest.Build(t, "basic"))
	shell := exec.Command("sh", "-es")
	shell.Dir = t.TempDir()
	var commands strings.Builder
	for line := range strings.Lines(printed) {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			commands.WriteString(strings.ReplaceAll(command, "curl ", "curl -s "))
		}
	}
	shell.Stdin = strings.NewReader(commands.String())
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rest := string(out)
	for _, want := range []string{
		"Signed in as ann.", "Signed in as ann.", "Signed in as ann.",
		`"current":true`, `"current":false`, `"current":false`,
		`{"count":1,`, "(revoked).",
		`{"count":1,`, "(revoked_others).", "Hello, ann.",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%q does not follow in:\n%s", want, out)
		}
		rest = after
	}
	stop()
	for _, alarming := range []string{"WARN", "ERROR", "panic"} {
		if strings.Contains(log.String(), alarming) {
			t.Errorf("the log has %s:\n%s", alarming, log.String())
		}
	}
}

// TestPages shows the example to a browser: a form, and where to go from there.
func TestPages(t *testing.T) {
	address, _ := exampletest.Start(t, exampletest.Build(t, "basic"))
	browser := exampletest.NewBrowser(t)
	browser.Accept = "text/html"
	if _, body := browser.Send("GET", address+"/", nil); !strings.Contains(body, `action="/login"`) {
		t.Errorf("to a visitor: %s", body)
	}
	if status, body := browser.Send("POST", address+"/login", url.Values{"user": {""}}); status != http.StatusBadRequest || !strings.Contains(body, "Who are you?") || !strings.Contains(body, `action="/login"`) {
		t.Errorf("to nobody: %d %s", status, body)
	}
	status, body := browser.Send("POST", address+"/login", url.Values{"user": {"<ann>"}})
	if status != http.StatusOK || !strings.Contains(body, "Hello, <bdi>&lt;ann&gt;</bdi>") || !strings.Contains(body, `href="/account/sessions"`) {
		t.Errorf("after the sign-in: %d %s", status, body)
	}
	for _, link := range []string{"/look?style", "/site.css"} {
		if !strings.Contains(body, `href="`+link+`"`) {
			t.Errorf("there is no link to %s", link)
		}
		if status, style := browser.Send("GET", address+link, nil); status != http.StatusOK || !strings.Contains(style, "{") {
			t.Errorf("%s: %d", link, status)
		}
	}
	if _, body := browser.Send("POST", address+"/logout", nil); !strings.Contains(body, `action="/login"`) {
		t.Errorf("after the sign-out: %s", body)
	}
}

func TestRedis(t *testing.T) {
	binary, redis := exampletest.Build(t, "redis"), redistest.Start(t)
	here, _ := exampletest.Start(t, binary, "-redis", redis.Addr)
	there, _ := exampletest.Start(t, binary, "-redis", redis.Addr)
	tour(t, here, there)
}

func TestNoRedis(t *testing.T) {
	out, err := exec.Command(exampletest.Build(t, "redis"), "-listen", "127.0.0.1:0", "-redis", "127.0.0.1:1").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "redis-server") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestExisting deploys the application that has come to revoke over the one
// that had not, with somebody signed in.
func TestExisting(t *testing.T) {
	before, after, redis := exampletest.Build(t, "existing/before"), exampletest.Build(t, "existing/after"), redistest.Start(t)
	old, stop := exampletest.Start(t, before, "-redis", redis.Addr)
	browser := exampletest.NewBrowser(t)
	browser.SignIn(old, "42")
	stop()

	address, _ := exampletest.Start(t, after, "-redis", redis.Addr)
	var requests sync.WaitGroup
	for range 6 {
		requests.Go(func() {
			if status, body := browser.Send("GET", address+"/me", nil); status != http.StatusOK || !strings.Contains(body, "42") {
				t.Errorf("after the deployment: %d %s", status, body)
			}
		})
	}
	requests.Wait()
	if _, body := browser.Send("GET", address+"/api/auth/sessions", nil); strings.Count(body, `"id"`) != 1 {
		t.Errorf("the list: %s", body)
	}
	if status, _ := browser.Send("POST", address+"/logout", nil); status != http.StatusOK {
		t.Errorf("sign-out: %d", status)
	}
}

// TestExistingDiffersByFourLines holds the README to what it says: three lines
// are new and one changes, beside two imports and the comment.
func TestExistingDiffersByFourLines(t *testing.T) {
	lines := func(name string) map[string]int {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		counted := map[string]int{}
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(line, "//") && !strings.HasPrefix(line, "\t\"") && strings.TrimSpace(line) != "" {
				counted[line]++
			}
		}
		return counted
	}
	before, after := lines("existing/before/main.go"), lines("existing/after/main.go")
	added, removed := 0, 0
	for line, n := range after {
		added += max(0, n-before[line])
	}
	for line, n := range before {
		removed += max(0, n-after[line])
	}
	if added != 4 || removed != 1 {
		t.Errorf("%d lines added and %d removed, want 4 and 1", added, removed)
	}
}
