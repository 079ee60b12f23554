package servertest

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// A Memcached is a server of one test's own.
type Memcached struct {
	Addr string

	t       testing.TB
	program string
	args    []string
	cmd     *exec.Cmd
}

// StartMemcached starts a server that ends with the test.
func StartMemcached(t testing.TB, args ...string) *Memcached {
	t.Helper()
	m := &Memcached{t: t, program: Find(t, "memcached"), args: args}
	t.Cleanup(m.Kill)
	var err error
	for range 5 { // another process may take the port meanwhile
		m.Addr = net.JoinHostPort("127.0.0.1", freePort(t))
		if err = m.run(); err == nil {
			return m
		}
		m.Kill()
	}
	t.Fatalf("servertest: %v", err)
	return nil
}

func (m *Memcached) run() error {
	host, port, _ := net.SplitHostPort(m.Addr)
	cmd := accountOf(m.t, "nobody").command(m.program, append([]string{"-l", host, "-p", port, "-U", "0"}, m.args...)...)
	if err := cmd.Start(); err != nil {
		return err
	}
	m.cmd = cmd
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if m.answers() {
			if m.cmd.Process.Signal(syscall.Signal(0)) == nil { // it is ours
				return nil
			}
			break
		}
	}
	return fmt.Errorf("memcached does not answer on %s", m.Addr)
}

func (m *Memcached) answers() bool {
	conn, err := net.Dial("tcp", m.Addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	fmt.Fprint(conn, "version\r\n")
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err == nil
}

// Kill ends the server at once.
func (m *Memcached) Kill() {
	if m.cmd != nil {
		kill(m.cmd)
		m.cmd.Wait()
		m.cmd = nil
	}
}

// Restart ends the server and starts it again, empty, on the same port.
func (m *Memcached) Restart() {
	m.t.Helper()
	m.Kill()
	if err := m.run(); err != nil {
		m.t.Fatalf("servertest: %v", err)
	}
}

// Signal sends the server a signal, such as SIGSTOP.
func (m *Memcached) Signal(signal os.Signal) { m.cmd.Process.Signal(signal) }
