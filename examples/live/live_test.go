package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
)

// TestMain is the program itself where a test starts it.
func TestMain(m *testing.M) {
	if os.Getenv("LIVE_TEST") == "run" {
		main()
		return
	}
	os.Exit(m.Run())
}

const apiPath = "/api/auth/sessions"

// patient is how long a test waits for what should come at once.
const patient = 20 * time.Second

// TestLive has two sessions of a user watched on two nodes, and ends each of
// them on the other.
func TestLive(t *testing.T) {
	redisServer := redistest.Start(t)
	a, b := start(t, "-redis", redisServer.Addr), start(t, "-redis", redisServer.Addr)
	for _, test := range []struct {
		name, reason string
		end          func(t *testing.T, onA, onB, third *device)
	}{
		{"revoke each", revoke.ReasonRevoked, func(_ *testing.T, onA, onB, third *device) {
			third.do("DELETE", b, apiPath+"/"+onA.id(), nil)
			third.do("DELETE", a, apiPath+"/"+onB.id(), nil)
		}},
		{"revoke others", revoke.ReasonRevokedOthers, func(_ *testing.T, _, _, third *device) { third.do("DELETE", a, apiPath, nil) }},
		{"sign out", revoke.ReasonLoggedOut, func(_ *testing.T, onA, onB, _ *device) {
			onA.do("POST", b, "/logout", nil)
			onB.do("POST", a, "/logout", nil)
		}},
		{"with the Pub/Sub connections lost", revoke.ReasonRevokedOthers, func(t *testing.T, _, _, third *device) {
			redisServer.NeedReal(t)
			redisServer.Do("CLIENT", "KILL", "TYPE", "pubsub")
			third.do("DELETE", a, apiPath, nil)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onA, onB, third := signIn(t, a, "ann"), signIn(t, b, "ann"), signIn(t, a, "ann")
			stream, talk, stays := onA.stream(a), onB.talk(b), third.talk(b)
			test.end(t, onA, onB, third)
			stream.wantEnd(test.reason)
			talk.wantEnd(test.reason)
			stays.wantEcho()
			for _, path := range []string{"/events", "/ws"} {
				if got := onA.do("GET", b, path, nil); got.StatusCode != http.StatusUnauthorized || got.body != test.reason+"\n" {
					t.Errorf("%s when it is over: %s %q", path, got.Status, got.body)
				}
			}
		})
	}
}

func TestInMemory(t *testing.T) {
	p := start(t)
	phone, laptop := signIn(t, p, "ann"), signIn(t, p, "ann")
	stream, talk, stays := phone.stream(p), phone.talk(p), laptop.talk(p)
	laptop.do("DELETE", p, apiPath+"/"+phone.id(), nil)
	stream.wantEnd(revoke.ReasonRevoked)
	talk.wantEnd(revoke.ReasonRevoked)
	stays.wantEcho()
}

func TestNotSignedIn(t *testing.T) {
	p, nobody := start(t), &device{t: t}
	for _, path := range []string{"/events", "/ws"} {
		if got := nobody.do("GET", p, path, nil); got.StatusCode != http.StatusUnauthorized || got.body != "not signed in\n" {
			t.Errorf("%s: %s %q", path, got.Status, got.body)
		}
	}
}

// TestOtherOrigin shows that the page of another site gets no WebSocket, though
// the browser sends the cookie.
func TestOtherOrigin(t *testing.T) {
	p := start(t)
	d := signIn(t, p, "ann")
	for origin, want := range map[string]int{
		p.url:                   http.StatusSwitchingProtocols,
		"https://other.example": http.StatusForbidden,
		"null":                  http.StatusForbidden,
	} {
		conn, resp, err := d.dial(p, origin)
		if resp == nil || resp.StatusCode != want {
			t.Errorf("from %s: %v, want status %d", origin, err, want)
		}
		if conn != nil {
			conn.CloseNow()
		}
	}
}

func TestPage(t *testing.T) {
	p, nobody := start(t), &device{t: t}
	got := nobody.do("GET", p, "/", nil)
	if csp := got.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; ") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy %q", csp)
	}
	resources := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(got.body, -1)
	if len(resources) != 2 {
		t.Errorf("the page has %q", resources)
	}
	for _, resource := range resources {
		if got := nobody.do("GET", p, resource[1], nil); got.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", resource[1], got.Status)
		}
	}
	if got := nobody.do("GET", p, "/nothing", nil); got.StatusCode != http.StatusNotFound {
		t.Errorf("a page that is not there: %s", got.Status)
	}
}

// A process is the program, running.
type process struct{ url string }

func start(t *testing.T, args ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"-listen", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), "LIVE_TEST=run")
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the program ends: %v", err)
	}
	return &process{regexp.MustCompile(`http://\S+`).FindString(line)}
}

// A device is a browser that has signed in, and goes on sending its cookie.
type device struct {
	t      *testing.T
	cookie string
}

func signIn(t *testing.T, p *process, user string) *device {
	t.Helper()
	d := &device{t: t}
	got := d.do("POST", p, "/login", url.Values{"user": {user}})
	if len(got.Cookies()) != 1 {
		t.Fatalf("sign-in: %s %q", got.Status, got.body)
	}
	d.cookie = got.Cookies()[0].Value
	return d
}

func (d *device) id() string { return strings.Split(d.cookie, ".")[1] }

type answer struct {
	*http.Response
	body string
}

func (d *device) do(method string, p *process, path string, form url.Values) answer {
	d.t.Helper()
	resp := d.send(method, p, path, form)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Error(err)
	}
	return answer{resp, string(body)}
}

func (d *device) send(method string, p *process, path string, form url.Values) *http.Response {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, p.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: "session", Value: d.cookie})
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp
}

// A stream is an event stream that is open.
type stream struct {
	t    *testing.T
	body io.ReadCloser
}

// stream opens an event stream, and waits for its first event.
func (d *device) stream(p *process) *stream {
	d.t.Helper()
	resp := d.send("GET", p, "/events", nil)
	d.t.Cleanup(func() { resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		d.t.Fatalf("event stream: %s, %s", resp.Status, kind)
	}
	first := make([]byte, len("event: time\n"))
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "event: time\n" {
		d.t.Fatalf("the first event: %q, %v", first, err)
	}
	return &stream{d.t, resp.Body}
}

func (s *stream) wantEnd(reason string) {
	s.t.Helper()
	hangUp := time.AfterFunc(patient, func() { s.body.Close() })
	defer hangUp.Stop()
	text, err := io.ReadAll(s.body)
	if err != nil || !strings.HasSuffix(string(text), "event: end\ndata: "+reason+"\n\n") {
		s.t.Errorf("the event stream ended with %q, %v; want %s", text, err, reason)
	}
}

// A talk is a WebSocket that is open.
type talk struct {
	t    *testing.T
	conn *websocket.Conn
}

// talk opens a WebSocket, and waits for its first answer.
func (d *device) talk(p *process) *talk {
	d.t.Helper()
	conn, _, err := d.dial(p, p.url)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.CloseNow() })
	k := &talk{d.t, conn}
	k.wantEcho()
	return k
}

func (d *device) dial(p *process, origin string) (*websocket.Conn, *http.Response, error) {
	return websocket.Dial(d.t.Context(), p.url+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Cookie": {"session=" + d.cookie}, "Origin": {origin}},
	})
}

func (k *talk) wantEcho() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patient)
	defer cancel()
	if err := k.conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		k.t.Fatal(err)
	}
	if _, message, err := k.conn.Read(ctx); err != nil || string(message) != "hello" {
		k.t.Fatalf("the answer to hello: %q, %v", message, err)
	}
}

func (k *talk) wantEnd(reason string) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), patient)
	defer cancel()
	_, message, err := k.conn.Read(ctx)
	var end websocket.CloseError
	if !errors.As(err, &end) || end.Code != websocket.StatusPolicyViolation || end.Reason != reason {
		k.t.Errorf("the WebSocket ended with %q, %v; want %s", message, err, reason)
	}
}
