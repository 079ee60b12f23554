// Package redistest starts Redis servers for tests, and puts faults between them
// and their clients.
package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"
)

// A Server is a Redis of one test's own. If redis-server is not installed it
// is miniredis, which does without files, memory limits and stalling.
type Server struct {
	Addr string
	Real bool

	t    testing.TB
	mode []string // what comes before all other arguments
	args []string
	port string
	cmd  *exec.Cmd // while it runs
	mini *miniredis.Miniredis
}

// Start starts a server that ends with the test. It keeps nothing on disk unless
// args, which are those of redis-server, say so. With REVOKE_REAL=1 in the
// environment the test fails if redis-server is not installed.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, nil, args...)
}

func start(t testing.TB, mode []string, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, mode: mode}
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("REVOKE_REAL") == "1" {
			t.Fatalf("redistest: REVOKE_REAL is set, but %v", err)
		}
		s.mini = miniredis.RunT(t)
		s.Addr, s.port = s.mini.Addr(), s.mini.Port()
		return s
	}
	s.Real = true
	s.args = append([]string{"--bind", "127.0.0.1", "--dir", t.TempDir(), "--daemonize", "no", "--save", "", "--appendonly", "no"}, args...)
	t.Cleanup(s.Kill)
	for range 5 {
		s.port = freePort(t)
		s.Addr = net.JoinHostPort("127.0.0.1", s.port)
		if s.run() == nil {
			return s
		}
		s.Kill() // another process may have taken the port meanwhile
	}
	if err := s.run(); err != nil {
		t.Fatalf("redistest: %v", err)
	}
	return s
}

// NeedReal skips the rest of the test if the server is not a real Redis.
func (s *Server) NeedReal(t testing.TB) {
	t.Helper()
	if !s.Real {
		t.Skip("redistest: needs a real redis-server, which is not installed")
	}
}

// Do runs a command on a connection of its own; the test fails if it does.
func (s *Server) Do(name string, args ...any) any {
	s.t.Helper()
	conn, err := s.dial()
	if err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	defer conn.Close()
	reply, err := conn.Do(name, args...)
	if err != nil {
		s.t.Fatalf("redistest: %s: %v", name, err)
	}
	return reply
}

// Pool returns a pool of connections, closed when the test ends.
func (s *Server) Pool() *redis.Pool {
	pool := &redis.Pool{MaxIdle: 16, Dial: s.dial}
	s.t.Cleanup(func() { pool.Close() })
	return pool
}

func (s *Server) dial() (redis.Conn, error) { return Dial(s.Addr) }

// Dial connects to an address, with limits of time that no test should reach.
func Dial(addr string) (redis.Conn, error) {
	return redis.Dial("tcp", addr, redis.DialConnectTimeout(5*time.Second),
		redis.DialReadTimeout(10*time.Second), redis.DialWriteTimeout(10*time.Second))
}

// Stop has the server shut down, with whatever it was told to keep on disk.
func (s *Server) Stop() {
	s.t.Helper()
	if s.mini != nil {
		s.mini.Close()
		return
	}
	if s.cmd == nil {
		return
	}
	if conn, err := s.dial(); err == nil {
		conn.Do("SHUTDOWN") // there is no answer
		conn.Close()
	}
	s.wait()
}

// Kill ends the server at once. It does nothing if it does not run.
func (s *Server) Kill() {
	if s.mini != nil {
		s.mini.Close()
		return
	}
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.wait()
	}
}

func (s *Server) wait() {
	s.cmd.Wait()
	s.cmd = nil
}

// Restart stops the server if it runs, and starts it on the same port.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if s.mini != nil {
		if err := s.mini.Restart(); err != nil {
			s.t.Fatalf("redistest: %v", err)
		}
		s.Do("FLUSHALL")
		s.Do("SCRIPT", "FLUSH")
		return
	}
	if err := s.run(); err != nil {
		s.t.Fatalf("redistest: restart: %v", err)
	}
}

// run starts redis-server and waits until it answers.
func (s *Server) run() error {
	logFile := filepath.Join(s.t.TempDir(), "redis.log")
	cmd := exec.Command("redis-server", slices.Concat(s.mode, []string{"--port", s.port, "--logfile", logFile}, s.args)...)
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	var err error
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = s.ready(); err == nil {
			return nil
		}
	}
	log, _ := os.ReadFile(logFile)
	return fmt.Errorf("redis-server does not answer: %v\n%s", err, log)
}

// ready reports whether it is this server that answers, and with its data loaded.
func (s *Server) ready() error {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Do("PING"); err != nil {
		return err
	}
	info, err := redis.String(conn.Do("INFO", "server"))
	if err == nil && !strings.Contains(info, "process_id:"+strconv.Itoa(s.cmd.Process.Pid)+"\r\n") {
		err = fmt.Errorf("another server has the port")
	}
	return err
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
