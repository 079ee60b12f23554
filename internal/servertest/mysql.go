package servertest

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A MySQL is a server of MariaDB or MySQL, of one test's own, with its data in a
// directory of its own.
type MySQL struct{ Addr string }

// StartMariaDB starts a server that ends with the test.
func StartMariaDB(t testing.TB) *MySQL {
	t.Helper()
	server := Find(t, "mariadbd", "/usr/sbin/mariadbd", "/usr/libexec/mariadbd")
	install := Find(t, "mariadb-install-db")
	account := accountOf(t, "mysql")
	dir := account.dir(t)
	account.run(t, dir, install, "--no-defaults", "--datadir="+filepath.Join(dir, "data"), "--auth-root-authentication-method=normal", "--skip-test-db")
	return startMySQL(t, account, dir, server)
}

// StartMySQL starts a server of MySQL itself, mysqld, that ends with the test. Many systems
// have none, or have MariaDB under that name. So it skips the test then, even with
// REVOKE_REAL=1.
func StartMySQL(t testing.TB) *MySQL {
	t.Helper()
	server, err := exec.LookPath("mysqld")
	if err != nil {
		t.Skip("servertest: needs mysqld, which is not installed")
	}
	if says, _ := exec.Command(server, "--no-defaults", "--version").Output(); strings.Contains(string(says), "MariaDB") {
		t.Skip("servertest: needs mysqld of MySQL, and this one is MariaDB")
	}
	account := accountOf(t, "mysql")
	dir := account.dir(t)
	account.run(t, dir, server, "--no-defaults", "--initialize-insecure", "--datadir="+filepath.Join(dir, "data"))
	return startMySQL(t, account, dir, server, "--mysqlx=off", "--secure-file-priv=NULL")
}

func startMySQL(t testing.TB, account account, dir, server string, options ...string) *MySQL {
	t.Helper()
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
	cmd := account.command(server, append([]string{"--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--port=" + port, "--bind-address=127.0.0.1",
		"--socket=" + filepath.Join(dir, "socket"), "--pid-file=" + filepath.Join(dir, "pid"), "--max-connections=300", "--init-file=" + begin, "--max-allowed-packet=64M"}, options...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("servertest: %v", err)
	}
	t.Cleanup(func() {
		kill(cmd)
		cmd.Wait()
	})
	m := &MySQL{net.JoinHostPort("127.0.0.1", port)}
	within(t, time.Minute, filepath.Base(server)+" does not answer", func() error {
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

// DSN returns how a driver connects, as a superuser.
func (m *MySQL) DSN() string { return MySQLDSN(m.Addr) }

// MySQLDSN returns how go-sql-driver connects to an address at which a server can be
// reached.
func MySQLDSN(addr string) string { return "root@tcp(" + addr + ")/" + database }
