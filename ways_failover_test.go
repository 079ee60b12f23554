package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"
	"github.com/mna/redisc"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
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

// serve returns the application on one of the servers, for whose replicas it
// waits if there are any.
func (p *pair) serve(t *testing.T, on *redistest.Server, replicas int, configure ...func(*server)) *server {
	st := store.NewRedis(on.Pool())
	st.Replicas, st.Timeout = replicas, 20*time.Second
	return newServer(t, st, configure...)
}

// failOver ends the primary at once, and returns the application on the replica.
func (p *pair) failOver(t *testing.T) *server {
	p.primary.Kill()
	p.replica.Promote()
	return p.serve(t, p.replica, 0)
}

// opens reports whether the browser's token opens the protected page of another
// server.
func (b *browser) opens(s *server) bool {
	b.t.Helper()
	other := &browser{t: b.t, s: s, cookie: b.cookie, header: b.header}
	return other.get("/me").status == http.StatusOK
}

// TestRevokedStaysRevokedR12 shows the way back that the others cannot: a replica
// that has not heard of the revocation is promoted. It is no subtest of
// TestRevokedStaysRevoked, because a store has it or has not.
func TestRevokedStaysRevokedR12(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(actor, target *browser) answer{
		"revoke one":    func(actor, target *browser) answer { return actor.delete(apiPath + "/" + target.id()) },
		"revoke others": func(actor, _ *browser) answer { return actor.delete(apiPath) },
		"sign out": func(_, target *browser) answer {
			return (&browser{t: target.t, s: target.s, cookie: target.cookie}).post("/logout")
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 3 {
				p := newPair(t)
				s := p.serve(t, p.primary, 1)
				laptop, phone := s.signedIn(t, "ann"), s.signedIn(t, "ann")
				p.link.Stall()
				time.AfterFunc(20*time.Millisecond, p.link.Heal)
				if got := end(laptop, phone); got.status != http.StatusOK {
					t.Fatalf("%d %s", got.status, got.body)
				}
				if phone.opens(p.failOver(t)) {
					t.Fatal("a revoked session came back")
				}
			}
		})
	}
	t.Run("returns without", func(t *testing.T) {
		p := newPair(t)
		s := p.serve(t, p.primary, 0)
		laptop, phone := s.signedIn(t, "ann"), s.signedIn(t, "ann")
		p.inStep(t)
		p.link.Stall()
		if got := laptop.delete(apiPath + "/" + phone.id()); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if !phone.opens(p.failOver(t)) {
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

// inStep waits until the replica has all that the primary has.
func (p *pair) inStep(t *testing.T) {
	t.Helper()
	if n := p.primary.Wait(1); n < 1 {
		t.Fatal("the replica is not in step")
	}
}

// TestRevokedStaysRevokedOnACluster puts the other ways through a cluster, each
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
	for i, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			st := store.NewRedis(cluster)
			st.Prefix, st.Replicas, st.Timeout = fmt.Sprintf("%d:", i), 1, 20*time.Second
			sm, hooked := scs.New(), &hookedStore{Store: st}
			sessions := revoke.New(sm, hooked)
			sessions.TouchInterval = 0
			w := newWorld(t, sm, sessions.Track)
			w.tracks = true
			w.find = func(then func()) { hooked.afterFind = then }
			w.end = func(ctx context.Context, token string) {
				if err := sessions.Revoke(ctx, "ann", strings.Split(token, ".")[1]); err != nil {
					t.Errorf("revoke: %v", err)
				}
			}
			way.run(w)
			if w.opens() != "" {
				t.Errorf("a revoked session came back: %s", way.story)
			}
		})
	}
}

func TestRevocationThatIsNotReplicated(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	st := store.NewRedis(p.primary.Pool())
	st.Replicas, st.Timeout = 1, 500*time.Millisecond
	var ended []revoke.Session
	var endErr error
	s := newServer(t, st, func(s *server) {
		s.handle("POST /reset", func(w http.ResponseWriter, r *http.Request) {
			ended, endErr = s.sessions.RevokeAll(r.Context(), "bob")
		})
		s.handle("POST /leave", func(w http.ResponseWriter, r *http.Request) {
			endErr = s.sessions.Logout(r.Context())
		})
		s.handle("POST /breach", func(w http.ResponseWriter, r *http.Request) {
			endErr = s.sessions.RevokeEveryone(r.Context())
		})
	})
	const code = `"code":"revocation_not_replicated"`
	wantLate := func(got answer) {
		t.Helper()
		if got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, code) {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	wantOver := func(b *browser, cookie string) {
		t.Helper()
		if b.cookie != "" {
			t.Error("the cookie is left")
		}
		b.cookie = cookie
		if got := b.get("/me"); got.status != http.StatusUnauthorized {
			t.Errorf("a session that has ended opens the page: %d", got.status)
		}
	}
	wantEvents := func(want map[revoke.Kind]int) {
		t.Helper()
		for kind, n := range want {
			if got := s.log.count(kind); got != n {
				t.Errorf("%d events %s, want %d", got, kind, n)
			}
		}
	}
	laptop, phone, tablet, desk := s.signedIn(t, "ann"), s.signedIn(t, "ann"), s.signedIn(t, "ann"), s.signedIn(t, "ann")
	s.signedIn(t, "bob")
	p.inStep(t)
	p.link.Stall()

	first := phone.id()
	wantLate(laptop.delete(apiPath + "/" + first))
	wantLate(laptop.delete(apiPath + "/" + first))
	wantEvents(map[revoke.Kind]int{revoke.Revoked: 1, revoke.Refused: 0, revoke.StoreFailed: 2})
	if got := phone.get("/me"); got.status != http.StatusUnauthorized {
		t.Errorf("a session that has ended opens the page: %d", got.status)
	}
	wantLate(laptop.delete(apiPath + "/" + strings.Repeat("A", 22))) // of which nobody can be certain

	cookie := tablet.cookie // its own, by the API
	wantLate(tablet.delete(apiPath + "/" + tablet.id()))
	wantOver(tablet, cookie)
	wantEvents(map[revoke.Kind]int{revoke.Revoked: 2, revoke.StoreFailed: 4})

	cookie = desk.cookie // a sign-out by scs's Destroy, which has no error to return
	if got := desk.post("/logout"); got.status != http.StatusOK || got.body != "out" {
		t.Errorf("sign-out: %d %s", got.status, got.body)
	}
	wantOver(desk, cookie)
	wantEvents(map[revoke.Kind]int{revoke.LoggedOut: 1, revoke.StoreFailed: 5})

	desk = s.signedIn(t, "ann")
	cookie = desk.cookie
	desk.post("/leave")
	if !errors.Is(endErr, revoke.ErrNotReplicated) {
		t.Errorf("Logout returned the error %v", endErr)
	}
	wantOver(desk, cookie)
	wantEvents(map[revoke.Kind]int{revoke.LoggedOut: 2, revoke.StoreFailed: 6})

	laptop.post("/reset")
	if !errors.Is(endErr, revoke.ErrNotReplicated) || len(ended) != 1 || ended[0].Device == "" {
		t.Errorf("RevokeAll returned %+v and the error %v", ended, endErr)
	}
	wantEvents(map[revoke.Kind]int{revoke.RevokedAll: 1, revoke.StoreFailed: 7})

	wantLate(laptop.delete(apiPath))
	wantEvents(map[revoke.Kind]int{revoke.RevokedOthers: 0, revoke.StoreFailed: 8}) // there are none

	p.link.Heal()
	st.Timeout = 20 * time.Second
	if got := laptop.delete(apiPath + "/" + first); got.status != http.StatusNotFound {
		t.Errorf("tried again when the replica is back: %d %s", got.status, got.body)
	}
	p.link.Stall()
	st.Timeout = 500 * time.Millisecond
	cookie = laptop.cookie
	laptop.post("/breach")
	if !errors.Is(endErr, revoke.ErrNotReplicated) {
		t.Errorf("RevokeEveryone returned the error %v", endErr)
	}
	wantOver(laptop, cookie)
	wantEvents(map[revoke.Kind]int{revoke.RevokedEveryone: 1, revoke.StoreFailed: 9})
}
