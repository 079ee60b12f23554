package servertest

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A MariaDB is a server of one test's own, with its data in a directory of its own.
type MariaDB struct{ Addr string }

// StartMariaDB starts a server that ends with the test.
func StartMariaDB(t testing.TB) *MariaDB {
	t.Helper()
	server := Find(t, "mariadbd", "/usr/sbin/mariadbd", "/usr/libexec/mariadbd")
	install := Find(t, "mariadb-install-db")
	account := accountOf(t, "mysql")
	dir := account.dir(t)
	data := filepath.Join(dir, "data")
	account.run(t, dir, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")

	begin := filepath.Join(dir, "begin.sql")
	if err := os.WriteFile(begin, []byte("create database "+database+";\n"), 0o644); err != nil {
		t.Fatalf("servertest: %v", err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	defer log.Close()
	port := freePort(t)
	cmd := account.command(server, "--no-defaults", "--datadir="+data, "--port="+port, "--bind-address=127.0.0.1",
		"--socket="+filepath.Join(dir, "socket"), "--pid-file="+filepath.Join(dir, "pid"), "--max-connections=300", "--init-file="+begin, "--max-allowed-packet=64M")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("servertest: %v", err)
	}
	t.Cleanup(func() {
		kill(cmd)
		cmd.Wait()
	})
	m := &MariaDB{net.JoinHostPort("127.0.0.1", port)}
	within(t, time.Minute, "mariadbd does not answer", func() error {
		conn, err := net.Dial("tcp", m.Addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = io.ReadFull(conn, make([]byte, 1)) // the server speaks first
		return err
	})
	return m
}

const database = "revoke_test"

// MariaDSN returns how go-sql-driver connects to an address at which a server can be
// reached.
func MariaDSN(addr string) string { return "root@tcp(" + addr + ")/" + database }
