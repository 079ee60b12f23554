package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

// StartReplica starts a replica of the server that ends with the test, and waits
// until it is in step. It is connected through the proxy if there is one. The
// test is skipped if there is no real Redis.
func (s *Server) StartReplica(t testing.TB, through *Proxy) *Server {
	t.Helper()
	s.NeedReal(t)
	s.Do("CONFIG", "SET", "repl-diskless-sync-delay", 0)
	addr := s.Addr
	if through != nil {
		addr = through.Addr
	}
	host, port, _ := strings.Cut(addr, ":")
	replica := Start(t, "--replicaof", host, port)
	within(t, "the replica to be in step", func() bool {
		return replica.info("master_link_status") == "up" && strings.Contains(s.info("slave0"), "state=online")
	})
	return replica
}

// Promote makes a replica a primary.
func (s *Server) Promote() {
	s.t.Helper()
	s.Do("REPLICAOF", "NO", "ONE")
}

// Wait waits until so many replicas have all that the server has, 10 seconds at
// most, and returns how many have.
func (s *Server) Wait(replicas int) int {
	s.t.Helper()
	conn, err := s.dial()
	if err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	defer conn.Close()
	if _, err := conn.Do("PUBLISH", "in step", ""); err != nil { // a write to wait for
		s.t.Fatalf("redistest: %v", err)
	}
	n, err := redis.Int(conn.Do("WAIT", replicas, 9000))
	if err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	return n
}

// info returns a value of INFO replication, or "".
func (s *Server) info(name string) string {
	text, _ := redis.String(s.Do("INFO", "replication"), nil)
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value
		}
	}
	return ""
}

// StartSentinels starts so many sentinels, of which more than half must agree,
// for a primary under a name, and waits until they know each other and its
// replicas. They end with the test.
func StartSentinels(t testing.TB, n int, name string, primary *Server) []*Server {
	t.Helper()
	primary.NeedReal(t)
	sentinels := make([]*Server, n)
	for i := range sentinels {
		config := filepath.Join(t.TempDir(), "sentinel.conf")
		text := fmt.Sprintf("sentinel monitor %s 127.0.0.1 %s %d\nsentinel down-after-milliseconds %s 500\n"+
			"sentinel failover-timeout %s 3000\n", name, primary.port, n/2+1, name, name)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatalf("redistest: %v", err)
		}
		sentinels[i] = start(t, []string{config, "--sentinel"})
	}
	for _, sentinel := range sentinels {
		within(t, "the sentinels to know each other", func() bool {
			master, _ := redis.StringMap(sentinel.Do("SENTINEL", "MASTER", name), nil)
			return master["num-other-sentinels"] == strconv.Itoa(n-1) && master["num-slaves"] != "0"
		})
	}
	return sentinels
}

// within waits for something that must come soon.
func within(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("redistest: waited in vain for %s", what)
		}
	}
}
