package servertest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// StartPgBouncer starts a pgbouncer before a server, that ends with the test: each
// transaction runs on any of three connections. It returns how a driver connects.
func StartPgBouncer(t testing.TB, p *Postgres) (dsn string) {
	t.Helper()
	program := Find(t, "pgbouncer", "/usr/sbin/pgbouncer")
	dir := p.account.dir(t)
	host, port, _ := net.SplitHostPort(p.Addr)
	listen := freePort(t)
	config := filepath.Join(dir, "pgbouncer.ini")
	err := os.WriteFile(config, fmt.Appendf(nil, `[databases]
postgres = host=%s port=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
`, host, port, listen), 0o644)
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	defer log.Close()
	cmd := p.account.command(program, config)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("servertest: %v", err)
	}
	t.Cleanup(func() {
		kill(cmd)
		cmd.Wait()
	})
	addr := net.JoinHostPort("127.0.0.1", listen)
	within(t, time.Minute, "pgbouncer does not answer", func() error {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err
	})
	return DSN(addr)
}
