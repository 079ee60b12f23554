package servertest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// A Proxy stands between clients and a server, and counts how often a client waits
// for an answer.
type Proxy struct {
	Addr string

	to        string
	listener  net.Listener
	exchanges atomic.Int64
	lose      atomic.Bool

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

// StartProxy starts a proxy before an address, that ends with the test.
func StartProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("servertest: %v", err)
	}
	p := &Proxy{Addr: l.Addr().String(), to: to, listener: l, conns: make(map[net.Conn]struct{})}
	t.Cleanup(func() {
		l.Close()
		p.Cut()
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

// Exchanges returns how many times what a client sent was followed by an answer.
func (p *Proxy) Exchanges() int64 { return p.exchanges.Load() }

// Lose closes a connection in place of passing on the next answer.
func (p *Proxy) Lose() { p.lose.Store(true) }

// Cut closes all connections, and lets no other through.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		c.Close()
	}
}

// keep remembers connections to be cut, and reports false if they are already.
func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return !p.cut
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(client, server) {
		return
	}
	var asked atomic.Bool
	go func() {
		defer server.Close()
		io.Copy(writerFunc(func(b []byte) (int, error) {
			asked.Store(true)
			return server.Write(b)
		}), client)
	}()
	io.Copy(writerFunc(func(b []byte) (int, error) {
		if p.lose.CompareAndSwap(true, false) {
			return 0, io.EOF
		}
		if asked.Swap(false) {
			p.exchanges.Add(1)
		}
		return client.Write(b)
	}), server)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
