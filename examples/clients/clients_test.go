// Package clients_test runs the examples as a user does.
package clients_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/redistest"
)

func TestGoredis(t *testing.T) {
	redis, binary := redistest.Start(t), build(t, "goredis")
	tour(t, start(t, binary, "-redis", redis.Addr), start(t, binary, "-redis", redis.Addr))
}

func TestRueidis(t *testing.T) {
	redis, binary := redistest.Start(t), build(t, "rueidis")
	redis.NeedReal(t)
	tour(t, start(t, binary, "-redis", redis.Addr), start(t, binary, "-redis", redis.Addr))
}

func TestMemcached(t *testing.T) {
	memcached, binary := startMemcached(t), build(t, "memcached")
	tour(t, start(t, binary, "-memcached", memcached), start(t, binary, "-memcached", memcached))
}

// What is not there is said, and how to get it.
func TestNoServer(t *testing.T) {
	for name, want := range map[string]string{"goredis": "redis-server", "rueidis": "redis-server", "memcached": "memcached"} {
		server := "-redis"
		if name == "memcached" {
			server = "-memcached"
		}
		out, err := exec.Command(build(t, name), "-listen", "127.0.0.1:0", server, "127.0.0.1:1").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "Start one with "+want) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

func build(t *testing.T, name string) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", binary, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// start runs an example, and returns the address that it prints.
func start(t *testing.T, binary string, args ...string) (address string) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"-listen", "127.0.0.1:0"}, args...)...)
	out := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "Listening on ")
	if err != nil || !ok {
		t.Fatalf("printed %q, %v", line, err)
	}
	go io.Copy(io.Discard, out)
	return address
}

// startMemcached returns the address of a server that ends with the test.
func startMemcached(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("memcached"); err != nil {
		if os.Getenv("REVOKE_REAL") == "1" {
			t.Fatal(err)
		}
		t.Skip("memcached is not installed")
	}
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	l.Close()
	cmd := exec.Command("memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", port, "-U", "0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 1000 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return address
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("memcached does not answer")
	return ""
}

// A browser has cookies.
type browser struct{ *http.Client }

func (b browser) do(method, address string, form url.Values) (status int, body string) {
	r := must(http.NewRequest(method, address, strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp := must(b.Do(r))
	defer resp.Body.Close()
	return resp.StatusCode, string(must(io.ReadAll(resp.Body)))
}

// tour signs in on two devices, on two servers that share their sessions, and ends one
// session from the other.
func tour(t *testing.T, here, there string) {
	t.Helper()
	phone, laptop := newBrowser(), newBrowser()
	for address, b := range map[string]browser{here: phone, there: laptop} {
		if status, body := b.do("POST", address+"/login", url.Values{"user": {"ann"}}); status != http.StatusOK {
			t.Fatalf("sign-in: %d %s", status, body)
		}
	}
	_, body := phone.do("GET", there+"/api/auth/sessions", nil) // cookies do not tell ports apart
	var list struct{ Sessions []struct{ ID string } }
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Sessions) != 2 {
		t.Fatalf("the list: %s", body)
	}
	if status, body := laptop.do("DELETE", here+"/api/auth/sessions/"+list.Sessions[0].ID, nil); status != http.StatusOK {
		t.Fatalf("revoke: %d %s", status, body)
	}
	if status, body := phone.do("GET", here+"/me", nil); status != http.StatusUnauthorized || !strings.Contains(body, "revoked") {
		t.Errorf("the revoked session: %d %s", status, body)
	}
	if status, body := laptop.do("GET", there+"/me", nil); status != http.StatusOK {
		t.Errorf("the other: %d %s", status, body)
	}
}

func newBrowser() browser { return browser{&http.Client{Jar: must(cookiejar.New(nil))}} }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
