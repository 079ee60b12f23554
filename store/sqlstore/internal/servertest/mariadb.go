package servertest

import (
	"context"
	"database/sql"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
)

// A MariaDB is a server of one test's own, with its data in a directory of its own.
type MariaDB struct{ Addr string }

// StartMariaDB starts a server that ends with the test.
func StartMariaDB(t testing.TB) *MariaDB {
	t.Helper()
	server := find(t, "mariadbd", "/usr/sbin/mariadbd", "/usr/libexec/mariadbd")
	install := find(t, "mariadb-install-db")
	account := accountOf(t, "mysql")
	dir := account.dir(t)
	data := filepath.Join(dir, "data")
	account.run(t, dir, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")

	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	defer log.Close()
	port := freePort(t)
	cmd := account.command(server, "--no-defaults", "--datadir="+data, "--port="+port, "--bind-address=127.0.0.1",
		"--socket="+filepath.Join(dir, "socket"), "--pid-file="+filepath.Join(dir, "pid"), "--max-connections=300", "--max-allowed-packet=64M")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("servertest: %v", err)
	}
	t.Cleanup(func() {
		kill(cmd)
		cmd.Wait()
	})
	m := &MariaDB{net.JoinHostPort("127.0.0.1", port)}
	db, err := sql.Open("mysql", strings.TrimSuffix(MariaDSN(m.Addr), database))
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	defer db.Close()
	within(t, time.Minute, "mariadbd does not answer", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := db.ExecContext(ctx, "create database if not exists "+database)
		return err
	})
	return m
}

const database = "revoke_test"

// MariaDSN returns how go-sql-driver connects to an address at which a server can be
// reached.
func MariaDSN(addr string) string { return "root@tcp(" + addr + ")/" + database }
