package ways

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/gomodule/redigo/redis"
	"github.com/mna/redisc"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/internal/trial"
	"github.com/revoke-sessions/revoke/store"
)

// A pair is a primary and a replica that may take over.
type pair struct {
	primary, replica *redistest.Server
	link             *redistest.Proxy // from the one to the other
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{primary: redistest.Start(t)}
	p.primary.NeedReal(t)
	p.link = redistest.NewProxy(t, p.primary)
	p.replica = p.primary.StartReplica(t, p.link)
	return p
}

// serve returns the application on one of the servers. A revocation waits for so
// many replicas.
func (p *pair) serve(t *testing.T, on *redistest.Server, replicas int) *testapp.App {
	st := store.NewRedis(on.Pool())
	st.Replicas, st.Timeout = replicas, 20*time.Second
	return testapp.New(t, st)
}

// inStep waits until the replica has all that the primary has.
func (p *pair) inStep(t *testing.T) {
	t.Helper()
	if n := p.primary.Wait(1); n < 1 {
		t.Fatal("the replica is not in step")
	}
}

// failOver ends the primary at once, and returns the application on the replica.
func (p *pair) failOver(t *testing.T) *testapp.App {
	p.primary.Kill()
	p.replica.Promote()
	return p.serve(t, p.replica, 0)
}

// TestRevokedStaysRevokedR12 shows the way back that the others cannot: a replica
// that has not heard of the revocation is promoted. It is no subtest of
// TestRevokedStaysRevoked, because a store has it or has not.
func TestRevokedStaysRevokedR12(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(actor, target *testapp.Browser) testapp.Answer{
		"revoke one": func(actor, target *testapp.Browser) testapp.Answer {
			return actor.Send("DELETE", testapp.APIPath+"/"+target.ID())
		},
		"revoke others": func(actor, _ *testapp.Browser) testapp.Answer { return actor.Send("DELETE", testapp.APIPath) },
		"sign out":      func(_, target *testapp.Browser) testapp.Answer { return target.Send("POST", "/logout") },
	} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				p := newPair(t)
				app := p.serve(t, p.primary, 1)
				laptop, phone := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
				p.link.Stall()
				time.AfterFunc(20*time.Millisecond, p.link.Heal)
				if got := end(laptop, phone); got.Status != http.StatusOK {
					t.Fatalf("%d %s", got.Status, got.Body)
				}
				if p.failOver(t).BrowserWith(t, phone.Cookie).Opens() {
					t.Fatal("a revoked session came back")
				}
			}
		})
	}
	t.Run("returns without", func(t *testing.T) {
		p := newPair(t)
		app := p.serve(t, p.primary, 0)
		laptop, phone := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
		p.inStep(t)
		p.link.Stall()
		if got := laptop.Delete(testapp.APIPath + "/" + phone.ID()); got.Status != http.StatusOK {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		if !p.failOver(t).BrowserWith(t, phone.Cookie).Opens() {
			t.Fatal("the session is over, and the test shows nothing")
		}
	})
}

// TestPlainSCSReturnsR12 shows what scs's own store does in the same place.
func TestPlainSCSReturnsR12(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	plain := redisstore.New(p.primary.Pool())
	if err := plain.Commit("token", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	p.inStep(t)
	p.link.Stall()
	if err := plain.Delete("token"); err != nil {
		t.Fatal(err)
	}
	p.primary.Kill()
	p.replica.Promote()
	if _, found, err := redisstore.New(p.replica.Pool()).Find("token"); err != nil || !found {
		t.Errorf("the session did not come back: %v", err)
	}
}

// TestRevokedStaysRevokedOnACluster puts the other ways, up to R18, through a cluster, each
// revocation waiting for a replica.
func TestRevokedStaysRevokedOnACluster(t *testing.T) {
	t.Parallel()
	primaries, _ := redistest.StartReplicatedCluster(t, 3)
	cluster := &redisc.Cluster{
		StartupNodes: []string{primaries[0].Addr},
		CreatePool: func(addr string, _ ...redis.DialOption) (*redis.Pool, error) {
			return &redis.Pool{MaxIdle: 4, Dial: func() (redis.Conn, error) { return redistest.Dial(addr) }}, nil
		},
	}
	t.Cleanup(func() { cluster.Close() })
	stores := 0
	ways := slices.Concat(trial.Sessions(), trial.Tokens(), trial.Leases())
	ways.Run(t, func(t *testing.T, try func(*testing.T, store.Store)) {
		stores++
		st := store.NewRedis(cluster)
		st.Prefix, st.Replicas, st.Timeout = fmt.Sprintf("%d:", stores), 1, 20*time.Second
		try(t, st)
	})
}
