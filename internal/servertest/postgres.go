package servertest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Postgres is a server of one test's own, with its data in a directory of its own.
type Postgres struct {
	Addr string

	t       testing.TB
	account account
	bin     string // the directory of the programs
	dir     string
	port    string
	cmd     *exec.Cmd // while it runs
	ended   <-chan struct{}
}

// StartPostgres starts a server that ends with the test. The settings are those of
// its configuration file, each as "name=value".
func StartPostgres(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	p := &Postgres{t: t, bin: filepath.Dir(Find(t, "/usr/lib/postgresql/*/bin/initdb", "/usr/local/pgsql/bin/initdb", "initdb"))}
	p.account = accountOf(t, "postgres")
	p.dir = p.account.dir(t)
	p.account.run(t, p.dir, filepath.Join(p.bin, "initdb"), "-D", p.data(), "-U", "postgres", "-A", "trust", "-N", "--locale=C", "-E", "UTF8")
	t.Cleanup(p.Kill)
	p.start(settings)
	return p
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

func (p *Postgres) start(settings []string) {
	p.t.Helper()
	p.port = freePort(p.t)
	p.Addr = net.JoinHostPort("127.0.0.1", p.port)
	p.Start(settings...)
}

// Start starts a server that was killed, on the same port.
func (p *Postgres) Start(settings ...string) {
	p.t.Helper()
	within(p.t, time.Minute, "postgres does not answer", func() error {
		select {
		case <-p.ended: // what is left of the one before has the memory, until it notices
			p.cmd = nil
		default:
		}
		if p.cmd == nil {
			p.run(settings)
		}
		return p.ready()
	})
}

// ready returns no error if the server takes connections. It writes into a file that
// it does so.
func (p *Postgres) ready() error {
	text, err := os.ReadFile(filepath.Join(p.data(), "postmaster.pid"))
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 8 || lines[0] != strconv.Itoa(p.cmd.Process.Pid) || strings.TrimSpace(lines[7]) != "ready" {
		return errors.New("it is not ready yet")
	}
	return nil
}

// run starts the program.
func (p *Postgres) run(settings []string) {
	p.t.Helper()
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatalf("servertest: %v", err)
	}
	defer log.Close()
	args := []string{"-D", p.data(), "-p", p.port, "-h", "127.0.0.1", "-k", p.dir, "-c", "max_connections=200"}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	cmd := p.account.command(filepath.Join(p.bin, "postgres"), args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("servertest: %v", err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended = cmd, ended
	go func() {
		cmd.Wait()
		close(ended)
	}()
}

// Kill ends the server at once, as a crash does. It does nothing if it does not run.
func (p *Postgres) Kill() {
	if p.cmd != nil {
		kill(p.cmd)
		<-p.ended
		p.cmd = nil
	}
}

// DSN returns how a driver connects, as a superuser. Both pgx and lib/pq take it.
func (p *Postgres) DSN() string { return DSN(p.Addr) }

// DSN returns how a driver connects to an address at which a server can be reached.
func DSN(addr string) string {
	return "postgres://postgres@" + addr + "/postgres?sslmode=disable"
}

// Standby starts a standby of the server, under that name, which follows it by way of
// an address.
func (p *Postgres) Standby(name, by string) *Postgres {
	p.t.Helper()
	s := &Postgres{t: p.t, account: p.account, bin: p.bin, dir: p.account.dir(p.t)}
	host, port, _ := net.SplitHostPort(by)
	p.account.run(p.t, s.dir, filepath.Join(p.bin, "pg_basebackup"), "-D", s.data(), "-h", "127.0.0.1", "-p", p.port, "-U", "postgres", "-c", "fast", "-X", "stream")
	conf, err := os.OpenFile(filepath.Join(s.data(), "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		p.t.Fatalf("servertest: %v", err)
	}
	fmt.Fprintf(conf, "primary_conninfo = 'host=%s port=%s user=postgres application_name=%s'\nsynchronous_standby_names = ''\n", host, port, name)
	conf.Close()
	p.account.run(p.t, s.dir, "touch", filepath.Join(s.data(), "standby.signal"))
	p.t.Cleanup(s.Kill)
	s.start(nil)
	return s
}

// Promote has a standby take over, and returns when it has.
func (p *Postgres) Promote() {
	p.t.Helper()
	p.account.run(p.t, p.dir, filepath.Join(p.bin, "pg_ctl"), "promote", "-w", "-D", p.data())
}
