package memcachestore_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/revoke-sessions/revoke/internal/servertest"
)

// A server is a memcached of one test's own.
type server struct {
	*servertest.Memcached
	t testing.TB
}

func start(t testing.TB, args ...string) *server {
	t.Helper()
	return &server{servertest.StartMemcached(t, args...), t}
}

// client returns a client that waits for a server which is busy with other tests.
func (s *server) client() *memcache.Client {
	client := memcache.New(s.Addr)
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
	conn, err := net.Dial("tcp", s.Addr)
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
