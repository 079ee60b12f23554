package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realclientip/realclientip-go"
	"github.com/revoke-sessions/revoke/internal/redistest"
)

// TestMain is the program itself where a test starts it.
func TestMain(m *testing.M) {
	if os.Getenv("PRODUCTION_TEST") == "run" {
		main()
		return
	}
	os.Exit(m.Run())
}

const apiPath = "/api/auth/sessions"

var (
	keyA = "2026-10:" + strings.Repeat("a1", 32)
	keyB = "2026-11:" + strings.Repeat("b2", 32)
)

func TestProduction(t *testing.T) {
	redisServer := redistest.Start(t)
	p := start(t, redisServer, keyA, "-proof-age", "2s", "-trusted-proxies", "127.0.0.1")
	phone, laptop := p.device("Phone/1.0"), p.device("Laptop/1.0")
	phone.header.Set("X-Forwarded-For", "203.0.113.9, 198.51.100.7")
	phone.expect("POST", "/login", "user=zebedee", http.StatusOK, "Signed in as zebedee")
	login := laptop.expect("POST", "/login", "user=zebedee", http.StatusOK, "Signed in as zebedee")

	cookie := login.Header.Get("Set-Cookie")
	if !regexp.MustCompile(`^__Host-session=[\w.-]+; Path=/; HttpOnly; Secure; SameSite=Lax$`).MatchString(cookie) {
		t.Errorf("cookie %q", cookie)
	}
	listed := laptop.expect("GET", apiPath, "", http.StatusOK, `"current":true`)
	if !strings.Contains(listed.body, `"ip":"198.51.100.7"`) || strings.Contains(listed.body, "203.0.113.9") {
		t.Errorf("the phone's address is not the one that the proxy saw: %s", listed.body)
	}
	t.Run("Redis keeps nothing in the clear", func(t *testing.T) {
		kept := dump(t, redisServer)
		for _, text := range []string{"zebedee", "Phone/1.0", "198.51.100.7", phone.secret(), laptop.secret()} {
			if strings.Contains(kept, text) {
				t.Errorf("Redis has %q in:\n%q", text, kept)
			}
		}
		if n := strings.Count(kept, "\xff\x00e1\x072026-10"); n != 4 {
			t.Errorf("%d values are encrypted, want the client and the data of two sessions:\n%q", n, kept)
		}
	})

	laptop.expect("DELETE", apiPath, "", http.StatusPreconditionRequired, `"count":1`)
	time.Sleep(2100 * time.Millisecond)
	laptop.expect("DELETE", apiPath+"?confirm=true", "", http.StatusForbidden, `"max_age":2`)
	laptop.expect("GET", "/account/sessions", "", http.StatusOK, `value="`+phone.id()+`"`)
	laptop.expect("POST", "/account/sessions", "session="+phone.id(), http.StatusForbidden, `href="/reauthenticate"`)
	laptop.expect("GET", "/reauthenticate", "", http.StatusOK, `<form method="post">`)
	phone.expect("GET", "/me", "", http.StatusOK, "zebedee")
	laptop.expect("POST", "/reauthenticate", "user=somebody", http.StatusForbidden, "not who is signed in")
	before := laptop.cookie
	laptop.expect("POST", "/reauthenticate", "user=zebedee", http.StatusOK, "proved")
	if laptop.cookie == before {
		t.Error("proving again who one is took no fresh token")
	}
	phoneToken := phone.cookie
	laptop.expect("DELETE", apiPath+"?confirm=true", "", http.StatusOK, `"count":1`)
	phone.expect("GET", apiPath, "", http.StatusUnauthorized, "session_revoked")
	phone.header.Set("X-Forwarded-For", "198.51.100.99") // a copy of its token, elsewhere
	phone.expect("GET", apiPath, "", http.StatusUnauthorized, "session_revoked")
	laptop.expect("GET", "/me", "", http.StatusOK, "zebedee")
	p.device("").expect("POST", "/reauthenticate", "user=zebedee", http.StatusUnauthorized, "not signed in")

	p.waitFor(&p.out, "*** SUSPICIOUS")
	if exit := p.stop(syscall.SIGTERM); exit != 0 {
		t.Errorf("exit status %d", exit)
	}
	var events []string
	for line := range strings.Lines(p.log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v in log line %q", err, line)
		}
		if name, ok := entry["event.name"].(string); ok {
			events = append(events, strings.TrimPrefix(name, "session."))
		}
	}
	want := "[signed_in signed_in step_up_refused step_up_refused renewed revoked_others revoked_token_used revoked_token_used suspicious]"
	if got := fmt.Sprint(events); got != want {
		t.Errorf("logged %s, want %s", got, want)
	}
	for _, token := range []string{phoneToken, before, laptop.cookie} {
		if secret := token[46:]; strings.Contains(p.log.String()+p.out.String(), secret) {
			t.Error("a token was logged")
		}
	}
}

func TestKeyChanges(t *testing.T) {
	redisServer := redistest.Start(t)
	p := start(t, redisServer, keyA)
	idle, used := p.device("Idle/1.0"), p.device("Used/1.0")
	idle.expect("POST", "/login", "user=zebedee", http.StatusOK, "")
	used.expect("POST", "/login", "user=zebedee", http.StatusOK, "")
	restart := func(keys string) {
		p.stop(syscall.SIGTERM)
		p = start(t, redisServer, keys)
		idle.p, used.p = p, p
	}

	restart(keyA + "," + keyB) // all servers learn to read the new key
	idle.expect("GET", "/me", "", http.StatusOK, "zebedee")
	restart(keyB + "," + keyA) // it writes
	idle.expect("GET", "/me", "", http.StatusOK, "zebedee")
	used.expect("POST", "/reauthenticate", "user=zebedee", http.StatusOK, "")
	used.expect("GET", apiPath, "", http.StatusOK, "Idle/1.0")
	kept := dump(t, redisServer)
	if a, b := strings.Count(kept, "\x072026-10"), strings.Count(kept, "\x072026-11"); a != 2 || b != 2 {
		t.Errorf("%d values under the old key and %d under the new, want 2 and 2", a, b)
	}
	restart(keyB) // the old key goes
	used.expect("GET", "/me", "", http.StatusOK, "zebedee")
	used.expect("GET", apiPath, "", http.StatusOK, `"current":true`)
}

// TestKeyDroppedTooSoon shows that it signs nobody out.
func TestKeyDroppedTooSoon(t *testing.T) {
	redisServer := redistest.Start(t)
	p := start(t, redisServer, keyA)
	d := p.device("Used/1.0")
	d.expect("POST", "/login", "user=zebedee", http.StatusOK, "")
	p.stop(syscall.SIGTERM)
	d.p = start(t, redisServer, keyB)
	d.expect("GET", "/me", "", http.StatusServiceUnavailable, "store_unavailable")
	if d.p.waitFor(&d.p.log, "its key is missing"); d.cookie == "" {
		t.Error("the cookie was cleared")
	}
	d.p.stop(syscall.SIGTERM)
	d.p = start(t, redisServer, keyB+","+keyA)
	d.expect("GET", "/me", "", http.StatusOK, "zebedee")
}

func TestNoKeys(t *testing.T) {
	redisServer := redistest.Start(t)
	p := start(t, redisServer, "")
	if !strings.Contains(p.log.String(), "SESSION_KEYS is not set") {
		t.Errorf("no warning:\n%s", &p.log)
	}
	d := p.device("Used/1.0")
	d.expect("POST", "/login", "user=zebedee", http.StatusOK, "")
	if kept := dump(t, redisServer); strings.Contains(kept, "zebedee") {
		t.Errorf("a key that was made up encrypts nothing:\n%q", kept)
	}
	p.stop(syscall.SIGTERM)
	d.p = start(t, redisServer, "")
	d.expect("GET", "/me", "", http.StatusUnauthorized, "not signed in")
	d.expect("POST", "/login", "user=zebedee", http.StatusOK, "")
}

// TestShutdown shows that a request under way is answered, and that no other is
// taken.
func TestShutdown(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t, redistest.Start(t), keyA)
		conn, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "https://"), insecure)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
			"Content-Length: 12\r\nExpect: 100-continue\r\n\r\n")
		in := bufio.NewReader(conn)
		if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
			t.Fatalf("%q %v", line, err)
		}
		in.ReadString('\n')
		p.cmd.Process.Signal(signal)
		p.waitFor(&p.log, `"msg":"stopping"`)
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			other, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "https://"), insecure)
			if err != nil {
				break
			}
			other.Close()
			if time.Now().After(deadline) {
				t.Fatal("connections are taken during the shutdown")
			}
		}
		fmt.Fprint(conn, "user=zebedee")
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("the request under way: %v", err)
		}
		if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 1 {
			t.Errorf("the request under way: %s %s", resp.Status, body)
		}
		if exit := p.wait(); exit != 0 || !strings.Contains(p.log.String(), `"msg":"stopped"`) {
			t.Errorf("%v: exit status %d\n%s", signal, exit, &p.log)
		}
	}
}

func TestShutdownDeadline(t *testing.T) {
	p := start(t, redistest.Start(t), keyA, "-grace", "100ms")
	conn, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "https://"), insecure)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nExpect: 100-continue\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\n\r\n")
	bufio.NewReader(conn).ReadString('\n')
	if exit := p.stop(syscall.SIGTERM); exit != 1 || !strings.Contains(p.log.String(), "requests were cut off") {
		t.Errorf("exit status %d\n%s", exit, &p.log)
	}
}

func TestNoRedis(t *testing.T) {
	cmd := program("", "-redis", "127.0.0.1:1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no Redis answers at 127.0.0.1:1") || !strings.Contains(string(out), "-redis host:port") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestMalformedKeys(t *testing.T) {
	secret := strings.Repeat("c3", 31)
	for _, keys := range []string{secret, "id:" + secret, "id:" + secret + "zz", keyA + ",id:" + secret, "id:" + secret + "c3,"} {
		_, err := parseKeys(keys)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", keys, err)
		}
	}
}

func TestClientIP(t *testing.T) {
	trusted, err := realclientip.AddressesAndRangesToIPNets("10.0.0.0/8", "2001:db8::1")
	if err != nil {
		t.Fatal(err)
	}
	ofClient := clientIP(trusted)
	for _, test := range []struct{ name, peer, forwarded, want string }{
		{"no proxy", "192.0.2.1:99", "", "192.0.2.1"},
		{"a peer that is no proxy is not believed", "192.0.2.1:99", "198.51.100.7", "192.0.2.1"},
		{"a proxy is believed", "10.1.2.3:99", "198.51.100.7", "198.51.100.7"},
		{"a proxy over IPv6", "[2001:db8::1]:99", "198.51.100.7", "198.51.100.7"},
		{"an IPv4 proxy on an IPv6 socket", "[::ffff:10.1.2.3]:99", "198.51.100.7", "198.51.100.7"},
		{"two proxies", "10.1.2.3:99", "198.51.100.7, 10.9.9.9", "198.51.100.7"},
		{"what the client wrote is on the left", "10.1.2.3:99", "203.0.113.66, 198.51.100.7", "198.51.100.7"},
		{"a client that claims to be a proxy", "10.1.2.3:99", "203.0.113.66, 10.9.9.9, 198.51.100.7", "198.51.100.7"},
		{"a proxy that says nothing", "10.1.2.3:99", "", "10.1.2.3"},
		{"a proxy that says nonsense", "10.1.2.3:99", "198.51.100.7, unknown", "10.1.2.3"},
		{"an IPv6 client", "10.1.2.3:99", "2001:db8:7::9", "2001:db8:7::9"},
		{"an IPv6 neighbour of the proxy", "[2001:db8::2]:99", "198.51.100.7", "2001:db8::2"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = test.peer
		if test.forwarded != "" {
			r.Header.Set("X-Forwarded-For", test.forwarded)
		}
		if got := ofClient(r).Unmap().String(); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
