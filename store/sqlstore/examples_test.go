package sqlstore_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke/internal/exampletest"
	"github.com/revoke-sessions/revoke/internal/servertest"
)

// build compiles the example of that name.
func build(t *testing.T, name string) (binary string) {
	t.Helper()
	return exampletest.Build(t, filepath.Join("..", "..", "examples", name))
}

// tour signs in twice here, restarts, ends one session there, and has the other live.
func tour(t *testing.T, here string, restart func() (there string)) {
	t.Helper()
	phone, laptop := exampletest.NewBrowser(t), exampletest.NewBrowser(t)
	phone.SignIn(here, "ann")
	laptop.SignIn(here, "ann")
	there := restart()
	ids := phone.IDs(there)
	if len(ids) != 2 {
		t.Fatalf("the list: %q", ids)
	}
	if status, body := laptop.Send("DELETE", there+"/api/auth/sessions/"+ids[0], nil); status != http.StatusOK {
		t.Fatalf("revoke: %d %s", status, body)
	}
	if status, body := phone.Send("GET", there+"/me", nil); status != http.StatusUnauthorized || !strings.Contains(body, "revoked") {
		t.Errorf("the revoked session: %d %s", status, body)
	}
	if status, body := laptop.Send("GET", restart()+"/me", nil); status != http.StatusOK {
		t.Errorf("the other: %d %s", status, body)
	}
}

func TestExampleSQLite(t *testing.T) {
	binary, file := build(t, "sqlite"), filepath.Join(t.TempDir(), "sessions.db")
	address, stop := exampletest.Start(t, binary, "-file", file)
	tour(t, address, func() string {
		stop()
		address, stop = exampletest.Start(t, binary, "-file", file)
		return address
	})
}

func TestExamplePostgres(t *testing.T) {
	server, binary := servertest.StartPostgres(t), build(t, "postgres")
	t.Setenv("DATABASE_URL", server.DSN())
	here, _ := exampletest.Start(t, binary)
	tour(t, here, func() string {
		there, _ := exampletest.Start(t, binary)
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
