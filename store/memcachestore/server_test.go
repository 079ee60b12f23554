package memcachestore_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// A server is a memcached of one test's own.
type server struct {
	addr string
	t    testing.TB
	args []string
	cmd  *exec.Cmd
}

// start starts a server that ends with the test. If memcached is not installed the
// test is skipped, or fails with REVOKE_REAL=1 in the environment.
func start(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("memcached"); err != nil {
		if os.Getenv("REVOKE_REAL") == "1" {
			t.Fatalf("REVOKE_REAL is set, but %v", err)
		}
		t.Skip("needs memcached, which is not installed")
	}
	s := &server{t: t, args: args}
	t.Cleanup(s.kill)
	var err error
	for range 5 { // another process may take the port meanwhile
		s.addr = freeAddr(t)
		if err = s.run(); err == nil {
			return s
		}
		s.kill()
	}
	t.Fatal(err)
	return nil
}

func freeAddr(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *server) run() error {
	host, port, _ := net.SplitHostPort(s.addr)
	args := append([]string{"-l", host, "-p", port, "-U", "0"}, s.args...)
	if os.Getuid() == 0 {
		args = append(args, "-u", "nobody")
	}
	s.cmd = exec.Command("memcached", args...)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	client := s.client()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if client.Ping() == nil {
			if s.cmd.Process.Signal(syscall.Signal(0)) == nil { // it is ours
				return nil
			}
			break
		}
	}
	return fmt.Errorf("memcached does not answer on %s", s.addr)
}

func (s *server) kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// restart ends the server and starts it again, empty, on the same port.
func (s *server) restart() {
	s.t.Helper()
	s.kill()
	if err := s.run(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) pause()  { s.cmd.Process.Signal(syscall.SIGSTOP) }
func (s *server) resume() { s.cmd.Process.Signal(syscall.SIGCONT) }

// client returns a client that waits for a server which is busy with other tests.
func (s *server) client() *memcache.Client {
	client := memcache.New(s.addr)
	client.Timeout = time.Minute
	client.MaxIdleConns = 64
	s.t.Cleanup(func() { client.Close() })
	return client
}

// An item is what the server has under a key.
type item struct {
	key     string
	expires int64 // in Unix seconds; -1 is never
}

// items returns all that the server has, but what has expired.
func (s *server) items() (items []item) {
	s.t.Helper()
	for _, line := range s.ask("lru_crawler metadump all") {
		var it item
		if _, err := fmt.Sscanf(line, "key=%s exp=%d", &it.key, &it.expires); err != nil {
			s.t.Fatalf("unexpected line %q", line)
		}
		var err error
		if it.key, err = url.QueryUnescape(it.key); err != nil {
			s.t.Fatal(err)
		}
		items = append(items, it)
	}
	return items
}

// stat returns a number that the server counts.
func (s *server) stat(name string) (n int) {
	s.t.Helper()
	for _, line := range s.ask("stats") {
		fmt.Sscanf(line, "STAT "+name+" %d", &n)
	}
	return n
}

// ask sends a command and returns the lines of the answer.
func (s *server) ask(command string) (lines []string) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s\r\n", command)
	for in := bufio.NewScanner(conn); in.Scan(); {
		if in.Text() == "END" {
			return lines
		}
		lines = append(lines, in.Text())
	}
	s.t.Fatalf("no answer to %q", command)
	return nil
}

// hold has a client call before each command of that name, and send the command on a
// new connection then.
func hold(client *memcache.Client, command string, before func()) {
	client.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dial := func() (net.Conn, error) {
			return new(net.Dialer).DialContext(context.WithoutCancel(ctx), network, addr)
		}
		conn, err := dial()
		return &heldConn{conn, command + " ", before, dial}, err
	}
}

type heldConn struct {
	net.Conn
	command string
	before  func()
	dial    func() (net.Conn, error)
}

func (c *heldConn) Write(b []byte) (n int, err error) {
	if strings.HasPrefix(string(b), c.command) {
		c.before()
		c.Conn.Close()
		if c.Conn, err = c.dial(); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// microsecondsOf returns a time as values have it.
func microsecondsOf(t time.Time) []byte { return binary.AppendVarint(nil, t.UnixMicro()) }
