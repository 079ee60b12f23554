package sqlstore_test

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

	"github.com/revoke-sessions/revoke/internal/servertest"
)

// build compiles the example of that name.
func build(t *testing.T, name string) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), name)
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Dir = filepath.Join("..", "..", "examples", name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// start runs an example until stop, and returns the address that it prints.
func start(t *testing.T, binary string, args ...string) (address string, stop func()) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"-listen", "127.0.0.1:0"}, args...)...)
	out := must(cmd.StdoutPipe())
	check(cmd.Start())
	stop = sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait() })
	t.Cleanup(stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "Listening on ")
	if err != nil || !ok {
		t.Fatalf("printed %q, %v", line, err)
	}
	go io.Copy(io.Discard, out)
	return address, stop
}

// A browser has cookies.
type browser struct{ *http.Client }

func newBrowser() browser { return browser{&http.Client{Jar: must(cookiejar.New(nil))}} }

func (b browser) do(method, address string, form url.Values) (status int, body string) {
	r := must(http.NewRequest(method, address, strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp := must(b.Do(r))
	defer resp.Body.Close()
	return resp.StatusCode, string(must(io.ReadAll(resp.Body)))
}

// tour signs in twice here, restarts, ends one session there, and has the other live.
func tour(t *testing.T, here string, restart func() (there string)) {
	t.Helper()
	phone, laptop := newBrowser(), newBrowser()
	for _, b := range []browser{phone, laptop} {
		if status, body := b.do("POST", here+"/login", url.Values{"user": {"ann"}}); status != http.StatusOK {
			t.Fatalf("sign-in: %d %s", status, body)
		}
	}
	there := restart()
	// Cookies do not tell ports apart.
	_, body := phone.do("GET", there+"/api/auth/sessions", nil)
	var list struct{ Sessions []struct{ ID string } }
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Sessions) != 2 {
		t.Fatalf("the list: %s", body)
	}
	if status, body := laptop.do("DELETE", there+"/api/auth/sessions/"+list.Sessions[0].ID, nil); status != http.StatusOK {
		t.Fatalf("revoke: %d %s", status, body)
	}
	if status, body := phone.do("GET", there+"/me", nil); status != http.StatusUnauthorized || !strings.Contains(body, "revoked") {
		t.Errorf("the revoked session: %d %s", status, body)
	}
	if status, body := laptop.do("GET", restart()+"/me", nil); status != http.StatusOK {
		t.Errorf("the other: %d %s", status, body)
	}
}

func TestExampleSQLite(t *testing.T) {
	binary, file := build(t, "sqlite"), filepath.Join(t.TempDir(), "sessions.db")
	address, stop := start(t, binary, "-file", file)
	tour(t, address, func() string {
		stop()
		address, stop = start(t, binary, "-file", file)
		return address
	})
}

func TestExamplePostgres(t *testing.T) {
	server, binary := servertest.StartPostgres(t), build(t, "postgres")
	t.Setenv("DATABASE_URL", server.DSN())
	here, _ := start(t, binary)
	tour(t, here, func() string {
		there, _ := start(t, binary)
		return there
	})
}

func TestExampleWithoutPostgres(t *testing.T) {
	cmd := exec.Command(build(t, "postgres"))
	cmd.Env = append(os.Environ(), "DATABASE_URL=postgres://127.0.0.1:1/x")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "docker run") {
		t.Errorf("%v: %s", err, out)
	}
}
