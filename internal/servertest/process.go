// Package servertest starts database servers for tests, and puts faults between
// them and their clients.
package servertest

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Find returns where a program is that has one of these names or paths. If it is not
// installed the test is skipped, and fails with REVOKE_REAL=1 in the environment.
func Find(t testing.TB, patterns ...string) (path string) {
	t.Helper()
	for _, pattern := range patterns {
		if path, err := exec.LookPath(pattern); err == nil {
			return path
		}
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	Missing(t, patterns[0]+", which is not installed")
	return ""
}

// Missing skips a test that needs something, and fails it with REVOKE_REAL=1 in the
// environment.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("REVOKE_REAL") == "1" {
		t.Fatalf("servertest: REVOKE_REAL is set, and the test needs %s", what)
	}
	t.Skipf("servertest: needs %s", what)
}

// An account is whom a server runs as: servers refuse to run as root.
type account struct{ uid, gid int }

// accountOf returns the user of that name if the test runs as root, and otherwise
// whoever runs it.
func accountOf(t testing.TB, name string) account {
	t.Helper()
	if os.Getuid() != 0 {
		return account{os.Getuid(), os.Getgid()}
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatalf("servertest: the test runs as root, and %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return account{uid, gid}
}

// dir makes a directory that is the account's, and is gone with the test.
func (a account) dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "revoke") // t.TempDir is root's alone
	if err == nil {
		err = os.Chown(dir, a.uid, a.gid)
	}
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// run runs a program to its end.
func (a account) run(t testing.TB, dir, name string, args ...string) {
	t.Helper()
	cmd := a.command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("servertest: %s: %v\n%s", filepath.Base(name), err, out)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// within waits until ready returns no error.
func within(t testing.TB, limit time.Duration, what string, ready func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = ready(); err == nil {
			return
		}
	}
	t.Fatalf("servertest: %s: %v", what, err)
}
