// Package examples_test runs the examples as a user does.
package examples_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/revoke-sessions/revoke/internal/redistest"
)

// build compiles an example.
func build(t *testing.T, dir string) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), filepath.Base(dir))
	if out, err := exec.Command("go", "build", "-o", binary, "./"+dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// start runs an example until stop, and returns the address that it prints.
func start(t *testing.T, binary string, args ...string) (address string, stop func()) {
	t.Helper()
	address, _, stop = startLogged(t, io.Discard, binary, args...)
	return address, stop
}

// startLogged also returns what the example prints after its address, and writes the
// example's log to a writer.
func startLogged(t *testing.T, log io.Writer, binary string, args ...string) (address, printed string, stop func()) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"-listen", "127.0.0.1:0"}, args...)...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait() })
	t.Cleanup(stop)
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "Listening on ")
	if err != nil || !ok {
		t.Fatalf("printed %q, %v", line, err)
	}
	rest, _ := r.Peek(r.Buffered()) // an example prints once
	printed = string(rest)
	go io.Copy(io.Discard, out)
	return address, printed, stop
}

// A jar is a browser.
type jar struct {
	t      *testing.T
	accept string // "" as curl has it
	*http.Client
}

func newJar(t *testing.T) jar {
	j, _ := cookiejar.New(nil)
	return jar{t, "", &http.Client{Jar: j}}
}

func (j jar) do(method, address string, form url.Values) (int, string) {
	j.t.Helper()
	r, _ := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if j.accept != "" {
		r.Header.Set("Accept", j.accept)
	}
	resp, err := j.Do(r)
	if err != nil {
		j.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func (j jar) signIn(address, user string) {
	j.t.Helper()
	if status, body := j.do("POST", address+"/login", url.Values{"user": {user}}); status != http.StatusOK {
		j.t.Fatalf("sign-in: %d %s", status, body)
	}
}

// currentID returns the id of the jar's own session.
func (j jar) currentID(address string) string {
	_, body := j.do("GET", address+"/api/auth/sessions", nil)
	var list struct{ Sessions []struct{ ID string } }
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Sessions) == 0 {
		j.t.Fatalf("list: %s", body)
	}
	return list.Sessions[0].ID
}

// tour does what the examples print, on two servers that share their sessions.
func tour(t *testing.T, here, there string) {
	phone, laptop := newJar(t), newJar(t)
	phone.signIn(here, "ann")
	laptop.signIn(there, "ann")
	id := phone.currentID(there)
	if status, body := laptop.do("DELETE", here+"/api/auth/sessions/"+id, nil); status != http.StatusOK {
		t.Errorf("revoke: %d %s", status, body)
	}
	if status, body := phone.do("GET", there+"/me", nil); status != http.StatusUnauthorized || !strings.Contains(body, "revoked") {
		t.Errorf("the revoked jar: %d %s", status, body)
	}
	phone.signIn(here, "ann")
	if status, body := laptop.do("DELETE", here+"/api/auth/sessions", nil); status != http.StatusOK || !strings.Contains(body, `"count":1`) {
		t.Errorf("revoke others: %d %s", status, body)
	}
	if status, body := laptop.do("GET", here+"/account/sessions", nil); status != http.StatusOK || !strings.Contains(body, "Where you") {
		t.Errorf("the page: %d %s", status, body)
	}
	if status, _ := laptop.do("POST", here+"/logout", nil); status != http.StatusOK {
		t.Errorf("sign-out: %d", status)
	}
	if status, _ := laptop.do("GET", here+"/me", nil); status != http.StatusUnauthorized {
		t.Errorf("after sign-out: %d", status)
	}
}

func TestBasic(t *testing.T) {
	address, _ := start(t, build(t, "basic"))
	tour(t, address, address)
}

// TestPrintedTour runs the commands that the example prints, as they stand there.
func TestPrintedTour(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil && os.Getenv("REVOKE_REAL") == "" {
		t.Skip("there is no curl")
	}
	var log strings.Builder
	_, printed, stop := startLogged(t, &log, build(t, "basic"))
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
	address, _ := start(t, build(t, "basic"))
	browser := newJar(t)
	browser.accept = "text/html"
	if _, body := browser.do("GET", address+"/", nil); !strings.Contains(body, `action="/login"`) {
		t.Errorf("to a visitor: %s", body)
	}
	if status, body := browser.do("POST", address+"/login", url.Values{"user": {""}}); status != http.StatusBadRequest || !strings.Contains(body, "Who are you?") || !strings.Contains(body, `action="/login"`) {
		t.Errorf("to nobody: %d %s", status, body)
	}
	status, body := browser.do("POST", address+"/login", url.Values{"user": {"<ann>"}})
	if status != http.StatusOK || !strings.Contains(body, "Hello, <bdi>&lt;ann&gt;</bdi>") || !strings.Contains(body, `href="/account/sessions"`) {
		t.Errorf("after the sign-in: %d %s", status, body)
	}
	for _, link := range []string{"/look?style", "/site.css"} {
		if !strings.Contains(body, `href="`+link+`"`) {
			t.Errorf("there is no link to %s", link)
		}
		if status, style := browser.do("GET", address+link, nil); status != http.StatusOK || !strings.Contains(style, "{") {
			t.Errorf("%s: %d", link, status)
		}
	}
	if _, body := browser.do("POST", address+"/logout", nil); !strings.Contains(body, `action="/login"`) {
		t.Errorf("after the sign-out: %s", body)
	}
}

func TestRedis(t *testing.T) {
	binary, redis := build(t, "redis"), redistest.Start(t)
	here, _ := start(t, binary, "-redis", redis.Addr)
	there, _ := start(t, binary, "-redis", redis.Addr)
	tour(t, here, there)
}

func TestNoRedis(t *testing.T) {
	out, err := exec.Command(build(t, "redis"), "-listen", "127.0.0.1:0", "-redis", "127.0.0.1:1").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "redis-server") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestExisting deploys the application that has come to revoke over the one
// that had not, with somebody signed in.
func TestExisting(t *testing.T) {
	before, after, redis := build(t, "existing/before"), build(t, "existing/after"), redistest.Start(t)
	old, stop := start(t, before, "-redis", redis.Addr)
	browser := newJar(t)
	browser.signIn(old, "42")
	stop()

	address, _ := start(t, after, "-redis", redis.Addr)
	var requests sync.WaitGroup
	for range 6 {
		requests.Go(func() {
			if status, body := browser.do("GET", address+"/me", nil); status != http.StatusOK || !strings.Contains(body, "42") {
				t.Errorf("after the deployment: %d %s", status, body)
			}
		})
	}
	requests.Wait()
	if _, body := browser.do("GET", address+"/api/auth/sessions", nil); strings.Count(body, `"id"`) != 1 {
		t.Errorf("the list: %s", body)
	}
	if status, _ := browser.do("POST", address+"/logout", nil); status != http.StatusOK {
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
