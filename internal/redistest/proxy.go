package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gomodule/redigo/redis"
)

// A Proxy lies between clients and a server. It counts what passes, and puts
// faults in the way. It is safe for concurrent use.
type Proxy struct {
	Addr string

	t        testing.TB
	backend  string
	listener net.Listener

	mu       sync.Mutex
	fault    fault
	cutAfter int           // bytes of an answer
	released chan struct{} // closed when a stall is over
	conns    []net.Conn
	accepted int
	commands []string
	trips    int
}

type fault int

const (
	none fault = iota
	refuse
	stall
	cut
)

// NewProxy starts a proxy to the server, which ends with the test.
func NewProxy(t testing.TB, s *Server) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	p := &Proxy{Addr: l.Addr().String(), t: t, backend: s.Addr, listener: l, released: make(chan struct{})}
	t.Cleanup(func() {
		l.Close()
		p.Heal()
		p.CloseAll()
	})
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

// Pool returns a pool of connections through the proxy, closed when the test ends.
func (p *Proxy) Pool() *redis.Pool {
	pool := &redis.Pool{MaxIdle: 16, Dial: func() (redis.Conn, error) { return Dial(p.Addr) }}
	p.t.Cleanup(func() { pool.Close() })
	return pool
}

// Count runs f and returns how many round trips it took, a burst of commands and
// their answers being one, and the names of the commands.
func (p *Proxy) Count(f func()) (trips int, commands []string) {
	p.mu.Lock()
	p.trips, p.commands = 0, nil
	p.mu.Unlock()
	f()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trips, slices.Clone(p.commands)
}

// Accepted returns how many connections there were so far.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Refuse has connections closed as soon as they are made, and those there are.
func (p *Proxy) Refuse() {
	p.set(refuse, 0)
	p.CloseAll()
}

// Stall has connections accepted and nothing passed on either way.
func (p *Proxy) Stall() { p.set(stall, 0) }

// Cut has every connection closed after the first n bytes of its next answer.
func (p *Proxy) Cut(n int) { p.set(cut, n) }

// Heal ends the fault. What was stalled passes on now.
func (p *Proxy) Heal() { p.set(none, 0) }

func (p *Proxy) set(f fault, cutAfter int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == stall && f != stall {
		close(p.released)
		p.released = make(chan struct{})
	}
	p.fault, p.cutAfter = f, cutAfter
}

// CloseAll closes the connections that there are.
func (p *Proxy) CloseAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// pass waits while there is a stall, and returns the fault there is then.
func (p *Proxy) pass() (fault, int) {
	for {
		p.mu.Lock()
		f, n, released := p.fault, p.cutAfter, p.released
		p.mu.Unlock()
		if f != stall {
			return f, n
		}
		<-released
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	p.conns = append(p.conns, client)
	p.accepted++
	p.mu.Unlock()
	if f, _ := p.pass(); f == refuse {
		return
	}
	server, err := net.Dial("tcp", p.backend)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns = append(p.conns, server)
	p.mu.Unlock()

	var mu sync.Mutex
	waiting := false // for an answer
	go func() {
		defer client.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if n > 0 {
				mu.Lock()
				waiting = false
				mu.Unlock()
				f, after := p.pass()
				if f == cut {
					client.Write(buffer[:min(n, after)])
					return
				}
				if _, err := client.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	for in := bufio.NewReader(client); ; {
		burst := in.Buffered() > 0 // it came together with the one before
		name, raw, err := readCommand(in)
		if err != nil {
			return
		}
		mu.Lock()
		p.mu.Lock()
		p.commands = append(p.commands, name)
		if !waiting && !burst {
			p.trips++
		}
		p.mu.Unlock()
		waiting = true
		mu.Unlock()
		p.pass()
		if _, err := server.Write(raw); err != nil {
			return
		}
	}
}

// readCommand reads a command, an array of bulk strings, and returns its name and
// its bytes.
func readCommand(in *bufio.Reader) (name string, raw []byte, err error) {
	var all bytes.Buffer
	length := func(kind string) (int, error) {
		line, err := in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		all.WriteString(line)
		text, ok := strings.CutPrefix(strings.TrimSpace(line), kind)
		if !ok {
			return 0, fmt.Errorf("no command: %q", line)
		}
		return strconv.Atoi(text)
	}
	words, err := length("*")
	for i := 0; i < words && err == nil; i++ {
		var n int
		if n, err = length("$"); err == nil {
			start := all.Len()
			_, err = io.CopyN(&all, in, int64(n)+2)
			if i == 0 && err == nil {
				name = string(all.Bytes()[start : start+n])
			}
		}
	}
	return name, all.Bytes(), err
}
