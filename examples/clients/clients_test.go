// Package clients_test runs the examples as a user does.
package clients_test

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke/internal/exampletest"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/internal/servertest"
)

func TestGoredis(t *testing.T) {
	redis, binary := redistest.Start(t), exampletest.Build(t, "goredis")
	tour(t, binary, "-redis", redis.Addr)
}

func TestRueidis(t *testing.T) {
	redis, binary := redistest.Start(t), exampletest.Build(t, "rueidis")
	redis.NeedReal(t)
	tour(t, binary, "-redis", redis.Addr)
}

func TestMemcached(t *testing.T) {
	memcached, binary := servertest.StartMemcached(t), exampletest.Build(t, "memcached")
	tour(t, binary, "-memcached", memcached.Addr)
}

// What is not there is said, and how to get it.
func TestNoServer(t *testing.T) {
	for name, want := range map[string]string{"goredis": "redis-server", "rueidis": "redis-server", "memcached": "memcached"} {
		server := "-redis"
		if name == "memcached" {
			server = "-memcached"
		}
		out, err := exec.Command(exampletest.Build(t, name), "-listen", "127.0.0.1:0", server, "127.0.0.1:1").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "Start one with "+want) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// tour runs an example twice, so that the two share their sessions, signs in on two
// devices, and ends one session from the other.
func tour(t *testing.T, binary string, args ...string) {
	t.Helper()
	here, _ := exampletest.Start(t, binary, args...)
	there, _ := exampletest.Start(t, binary, args...)
	phone, laptop := exampletest.NewBrowser(t), exampletest.NewBrowser(t)
	phone.SignIn(here, "ann")
	laptop.SignIn(there, "ann")
	ids := phone.IDs(there)
	if len(ids) != 2 {
		t.Fatalf("the list: %q", ids)
	}
	if status, body := laptop.Send("DELETE", here+"/api/auth/sessions/"+ids[0], nil); status != http.StatusOK {
		t.Fatalf("revoke: %d %s", status, body)
	}
	if status, body := phone.Send("GET", here+"/me", nil); status != http.StatusUnauthorized || !strings.Contains(body, "revoked") {
		t.Errorf("the revoked session: %d %s", status, body)
	}
	if status, body := laptop.Send("GET", there+"/me", nil); status != http.StatusOK {
		t.Errorf("the other: %d %s", status, body)
	}
}
