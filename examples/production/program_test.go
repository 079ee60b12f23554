package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/revoke-sessions/revoke/internal/redistest"
)

// A process is the program, running.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	url      string
	out, log buffer
}

func program(keys string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "PRODUCTION_TEST=run", "SESSION_KEYS="+keys)
	return cmd
}

func start(t *testing.T, r *redistest.Server, keys string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: program(keys, append([]string{"-listen", "127.0.0.1:0", "-redis", r.Addr}, args...)...)}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.cmd.Process.Kill()
			p.cmd.Wait()
		}
	})
	p.waitFor(&p.out, "/reauthenticate\n")
	p.url = regexp.MustCompile(`https://\S+`).FindString(p.out.String())
	return p
}

// waitFor waits until a buffer has a text.
func (p *process) waitFor(b *buffer, text string) {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(b.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("%q does not come; output:\n%s\nlog:\n%s", text, &p.out, &p.log)
		}
	}
}

// stop sends a signal, and returns the exit status.
func (p *process) stop(signal os.Signal) int {
	p.cmd.Process.Signal(signal)
	return p.wait()
}

func (p *process) wait() int {
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// A device keeps the session cookie as a browser would.
type device struct {
	p      *process
	cookie string
	header http.Header
}

func (p *process) device(userAgent string) *device {
	return &device{p: p, header: http.Header{"User-Agent": {userAgent}}}
}

var (
	insecure = &tls.Config{InsecureSkipVerify: true} // as curl -k
	client   = &http.Client{Transport: &http.Transport{TLSClientConfig: insecure.Clone(), ForceAttemptHTTP2: true, DisableKeepAlives: true}}
)

type answer struct {
	*http.Response
	body string
}

// expect sends a request, with a form if there is one, and checks the answer and
// the headers that every answer has.
func (d *device) expect(method, path, form string, status int, text string) answer {
	t := d.p.t
	t.Helper()
	r, err := http.NewRequest(method, d.p.url+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = d.header.Clone()
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if d.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-session", Value: d.cookie})
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	for _, c := range resp.Cookies() {
		d.cookie = c.Value
	}
	if resp.StatusCode != status || !strings.Contains(string(body), text) {
		t.Errorf("%s %s: %d %q, want %d with %q", method, path, resp.StatusCode, body, status, text)
	}
	for name, want := range map[string]string{
		"Strict-Transport-Security": "max-age=31536000; includeSubDomains",
		"X-Content-Type-Options":    "nosniff",
		"Referrer-Policy":           "same-origin",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s %s: %s is %q, want %q", method, path, name, got, want)
		}
	}
	return answer{resp, string(body)}
}

func (d *device) id() string { return d.cookie[23:45] }

func (d *device) secret() string { return d.cookie[46:] }

// dump returns all that Redis has.
func dump(t *testing.T, r *redistest.Server) string {
	t.Helper()
	keys, err := redis.Strings(r.Do("KEYS", "*"), nil)
	if err != nil || len(keys) == 0 {
		t.Fatalf("keys %q, %v", keys, err)
	}
	var all strings.Builder
	for _, key := range keys {
		fmt.Fprintln(&all, key)
		switch kind, _ := redis.String(r.Do("TYPE", key), nil); kind {
		case "hash":
			fields, _ := redis.Strings(r.Do("HGETALL", key), nil)
			fmt.Fprintln(&all, strings.Join(fields, "\n"))
		case "string":
			value, _ := redis.String(r.Do("GET", key), nil)
			fmt.Fprintln(&all, value)
		default:
			t.Fatalf("%s is a %s", key, kind)
		}
	}
	return all.String()
}

// buffer can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
