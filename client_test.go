package revoke_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestDevice(t *testing.T) {
	for userAgent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                         "Chrome on Android",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                         "Chrome on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                   "Safari on macOS",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":           "Edge on Windows",
		"curl/8.5.0": "curl",
		"":           "Unknown device",
	} {
		if got := revoke.Device(userAgent); got != want {
			t.Errorf("%q is %q, want %q", userAgent, got, want)
		}
	}
}

// TestForwardedHeadersAreBelievedFromNobody shows that a client cannot choose
// its address.
func TestForwardedHeadersAreBelievedFromNobody(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	b := app.Browser(t)
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "True-Client-Ip", "Cf-Connecting-Ip"} {
		b.Header.Set(name, "203.0.113.66")
	}
	b.Post("/login?user=ann")
	if got := app.List(t, "ann")[0].IP.String(); got != "127.0.0.1" {
		t.Errorf("a header was believed: %s", got)
	}
}

func TestAnonymize(t *testing.T) {
	for peer, want := range map[string]string{"198.51.100.77": "198.51.100.0", "2001:db8:1:2::3": "2001:db8:1::", "::ffff:192.0.2.9": "192.0.2.0"} {
		app := testapp.New(t, store.NewMemory())
		app.Sessions.Anonymize = true
		app.Sessions.ClientIP = func(*http.Request) netip.Addr { return netip.MustParseAddr(peer) }
		app.SignedIn(t, "ann")
		if got := app.List(t, "ann")[0].IP.String(); got != want {
			t.Errorf("%s is kept as %s, want %s", peer, got, want)
		}
	}
}

// TestHostileText shows that nothing a client sends can forge a line in a log,
// even one that escapes nothing.
func TestHostileText(t *testing.T) {
	hostile := "x\r\nlevel=INFO msg=\"session revoked\" user.id=admin\x1b[2J\u202e\u2066\x00" + strings.Repeat("é", 1<<20)
	var log bytes.Buffer
	m := revoke.New(scs.New(), store.NewMemory())
	m.Logger = slog.New(testapp.NaiveHandler{Out: &log})
	h := m.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.Login(r.Context(), hostile) }))
	r := httptest.NewRequest("POST", "/", nil)
	r.Header["User-Agent"] = []string{hostile}
	h.ServeHTTP(httptest.NewRecorder(), r)
	got := strings.TrimSuffix(log.String(), "\n")
	if got == "" || strings.ContainsAny(got, "\r\n\x1b\x00\u202e\u2066") {
		t.Errorf("logged %q", got[:200])
	}
	if len(got) > 2000 {
		t.Errorf("a line of %d bytes", len(got))
	}
	sessions, _ := m.List(t.Context(), hostile)
	if ua := sessions[0].UserAgent; len(ua) > 512 || strings.ContainsAny(ua, "\r\n\x1b\x00\u202e") {
		t.Errorf("a user agent of %d bytes: %q", len(ua), ua)
	}
}

// TestInjection sends what would forge headers, JSON and lines of a log, over a
// connection of its own as an attacker would: in the user agent, the user ID, a
// label, an id, a method and the query.
func TestInjection(t *testing.T) {
	const (
		overHTTP = "x\u0085level=WARN msg=forged\u2028\u202e\u009b2J\t</script><script>alert(1)</script>\",\"current\":true,\"x\":\"\xff\xfe"
		escaped  = "x%0d%0aX-Injected:%20yes%0d%0a%0d%0a%7b%22forged%22:true%7d%0alevel=WARN%20msg=forged%00%1b%5b2J"
	)
	var log bytes.Buffer
	app := testapp.New(t, store.NewMemory())
	app.Sessions.Logger = slog.New(testapp.NaiveHandler{Out: &log})
	app.Sessions.Describe = func(r *http.Request) map[string]string {
		return map[string]string{r.FormValue("label"): r.FormValue("label"), "agent": r.UserAgent()}
	}
	cookie := ""
	send := func(method, target string, header ...string) testapp.Answer {
		t.Helper()
		conn, err := net.Dial("tcp", app.Server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\nUser-Agent: %s\r\nCookie: session=%s\r\n%s\r\n",
			method, target, overHTTP, cookie, strings.Join(header, ""))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body bytes.Buffer
		body.ReadFrom(resp.Body)
		expected := []string{"Allow", "Cache-Control", "Connection", "Content-Length", "Content-Type", "Date", "Set-Cookie", "Vary", "X-Content-Type-Options"}
		for name, values := range resp.Header {
			if !slices.Contains(expected, name) || strings.Contains(fmt.Sprint(values), "forged") {
				t.Errorf("%s %s: header %s: %q", method, target, name, values)
			}
		}
		for _, c := range resp.Cookies() {
			cookie = c.Value
		}
		return testapp.Answer{Status: resp.StatusCode, Body: body.String(), Header: resp.Header}
	}
	expect := func(got testapp.Answer, status int) {
		t.Helper()
		if got.Status != status {
			t.Errorf("%d %s, want %d", got.Status, got.Body, status)
		}
	}
	user := "ann%0d%0aX-Injected:%20yes%0alevel=WARN"
	expect(send("POST", "/login?user="+user+"&label="+escaped), http.StatusOK)
	listed := send("GET", testapp.APIPath+"?label="+escaped)
	expect(listed, http.StatusOK)
	expect(send("DELETE", testapp.APIPath+"/"+escaped), http.StatusNotFound)
	expect(send("DELETE", testapp.APIPath+"/"+escaped, "Sec-Fetch-Site: cross-site\r\n"), http.StatusForbidden)
	expect(send("FORGED", testapp.APIPath+"/"+escaped), http.StatusMethodNotAllowed)
	expect(send("POST", "/logout?label="+escaped), http.StatusOK)

	var reply struct {
		Sessions []struct {
			Current bool
			Labels  map[string]string
			Agent   string `json:"user_agent"`
			X       any
		}
	}
	if err := json.Unmarshal([]byte(listed.Body), &reply); err != nil || len(reply.Sessions) != 1 {
		t.Fatalf("%v in %s", err, listed.Body)
	}
	session := reply.Sessions[0]
	texts := session.Agent
	for name, value := range session.Labels {
		texts += name + value
	}
	if !session.Current || len(session.Labels) != 2 || session.X != nil {
		t.Errorf("listed %+v", session)
	}
	if strings.Contains(listed.Body, "<script") {
		t.Errorf("markup in %s", listed.Body)
	}
	const moves = "\r\n\t\x00\x1b\u0085\u009b\u2028\u202e"
	if strings.ContainsAny(texts, moves) {
		t.Errorf("listed %q", texts)
	}
	lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
	for i, kind := range []revoke.Kind{revoke.SignedIn, revoke.Refused, revoke.CrossOriginRefused, revoke.LoggedOut} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], "session "+string(kind)+" ") || strings.ContainsAny(lines[i], moves) {
			t.Fatalf("line %d is not of %s:\n%q", i, kind, lines)
		}
	}
	if len(lines) != 4 {
		t.Errorf("forged lines: %q", lines[4:])
	}
}

func TestAddressOfThePeer(t *testing.T) {
	for remote, want := range map[string]string{
		"203.0.113.7:4711":       "203.0.113.7",
		"[2001:db8::1]:4711":     "2001:db8::1",
		"[fe80::1%eth0]:4711":    "fe80::1",
		"[::ffff:203.0.113.7]:1": "203.0.113.7",
		"203.0.113.7":            "203.0.113.7", // as chi's RealIP leaves it
		"2001:db8::1":            "2001:db8::1",
		"::ffff:203.0.113.7":     "203.0.113.7",
		"fe80::1%eth0":           "fe80::1",
		"@":                      "", // of a Unix socket
		"":                       "",
		"example.com:80":         "",
	} {
		m := revoke.New(scs.New(), store.NewMemory())
		r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
		r.RemoteAddr = remote
		m.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { m.Login(r.Context(), "ann") })).ServeHTTP(w, r)
		sessions, err := m.List(t.Context(), "ann")
		if err != nil || len(sessions) != 1 {
			t.Fatal(sessions, err)
		}
		if want, _ := netip.ParseAddr(want); sessions[0].IP != want {
			t.Errorf("the address of %q is %v, want %v", remote, sessions[0].IP, want)
		}
	}
}

// FuzzClient shows that a client is read as the JSON that it is, however it is
// written, and that what is not JSON is an unknown client.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{
		`{"ip":"192.0.2.1","user_agent":"curl/8.5.0"}`,
		`{"ip":"2001:db8::1","user_agent":""}`,
		`{"ip":"","user_agent":"curl/8.5.0"}`,
		`{"ip":"192.0.2.1","user_agent":"a \"quoted\" \u003cword\u003e"}`,
		`{"ip":"192.0.2.1","user_agent":"é ` + "\xff" + `"}`,
		`{"ip":"192.0.2.1","user_agent":"` + "\x00" + `"}`,
		`{"ip":"192.0.2.1","user_agent":"` + "\x7f" + `"}`,
		`{"ip":"192.0.2.1","user_agent":"a","labels":{"place":"Lisbon"}}`,
		`{"ip":"192.0.2.1","user_agent":"a","user_agent":"b"}`,
		`{"ip":"fe80::1%","x":"","user_agent":"a"}`,
		`{"ip":"fe80::1%\u0041","user_agent":"a"}`,
		`{"ip":"fe80::1%` + "\n" + `","user_agent":"a"}`,
		`{"ip":"fe80::1%` + "\xff" + `","user_agent":"a"}`,
		`{"ip":"192.0.2.256","user_agent":"a"}`,
		`{"ip":"192.0.2.1","user_agent":"a"}}`,
		`{"ip":"192.0.2.1","user_agent":"a"`,
		`{ "ip":"192.0.2.1","user_agent":"a"}`,
		`{"user_agent":"a"}`,
		``,
	} {
		f.Add([]byte(seed))
	}
	st := store.NewMemory()
	m := revoke.New(scs.New(), st)
	f.Fuzz(func(t *testing.T, data []byte) {
		r := store.Record{User: "GzLCjLOMBUgOzMG9YP-XAg", ID: "0000000000000000000000", SeenAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), Client: data}
		if _, err := st.Create(t.Context(), r, store.Limit{}); err != nil {
			t.Fatal(err)
		}
		sessions, err := m.List(t.Context(), "bench")
		if err != nil || len(sessions) != 1 {
			t.Fatal(sessions, err)
		}
		if err := st.RevokeEveryone(t.Context()); err != nil {
			t.Fatal(err)
		}
		var want struct {
			IP        netip.Addr        `json:"ip"`
			UserAgent string            `json:"user_agent"`
			Labels    map[string]string `json:"labels"`
		}
		_ = json.Unmarshal(data, &want)
		got := sessions[0]
		if got.IP != want.IP || got.UserAgent != want.UserAgent || len(got.Labels) != len(want.Labels) {
			t.Errorf("%q was read as %v %q %v, want %v %q %v", data, got.IP, got.UserAgent, got.Labels, want.IP, want.UserAgent, want.Labels)
		}
	})
}

func TestDeviceIsRemembered(t *testing.T) {
	const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	for _, userAgent := range []string{firefox, firefox, firefox + strings.Repeat(" ", 10_000)} {
		if got := revoke.Device(userAgent); got != "Firefox on Linux" {
			t.Errorf("%.100q is %q", userAgent, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { revoke.Device(firefox) }); n != 0 {
		t.Errorf("%v allocations for a user agent that is known", n)
	}
}

// TestDeviceOfTheApplication shows that the application may describe devices.
func TestDeviceOfTheApplication(t *testing.T) {
	app := testapp.Over(scs.New(), store.NewMemory())
	app.Sessions.Device = func(userAgent string) string { return "a device of " + userAgent[:7] }
	app.SignedIn(t, "ann")
	if got := app.List(t, "ann"); len(got) != 1 || got[0].Device != "a device of Mozilla" {
		t.Errorf("%+v", got)
	}
}

// Believing a proxy on the same machine, and nobody else, about addresses.
func ExampleManager_clientIP() {
	sessions.ClientIP = func(r *http.Request) netip.Addr {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !peer.Addr().IsLoopback() {
			return peer.Addr()
		}
		client, _ := netip.ParseAddr(r.Header.Get("X-Real-Ip")) // which the proxy overwrites
		return client
	}
	sessions.ClientIP = nil
}

// Labels that help people to recognize a session.
func ExampleManager_describe() {
	sessions.Describe = func(r *http.Request) map[string]string {
		return map[string]string{"app": r.Header.Get("X-App-Version")}
	}
	sessions.Describe = nil
}
