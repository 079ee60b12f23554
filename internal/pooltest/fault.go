package pooltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// A command whose answer is lost is not sent again: the second answer would be another.
func (c Client) sendsNothingTwice(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.StartReplica(t, nil)
	for name, call := range map[string]func(st store.Store) error{
		"Create": func(st store.Store) error {
			_, err := st.Create(t.Context(), later(Record("user", "new")), store.Limit{})
			return err
		},
		"Revoke": func(st store.Store) error {
			_, err := st.Revoke(t.Context(), "user", "a", store.Revocation{})
			return err
		},
		"RevokeAll": func(st store.Store) error {
			_, err := st.RevokeAll(t.Context(), "user", "", store.Revocation{})
			return err
		},
	} {
		for replicas := range 2 {
			t.Run(fmt.Sprint(name, ", replicas: ", replicas), func(t *testing.T) {
				server.Do("FLUSHALL")
				var l lossy
				st := Replicated(c.Dialled(t, server.Addr, l.dial), replicas)
				must(st.Create(t.Context(), Record("user", "a"), store.Limit{}))
				must(st.RevokeAll(t.Context(), "another", "", store.Revocation{})) // has it connect
				l.loseNext()
				if err := call(st); err == nil || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrNotFound) {
					t.Errorf("a call whose answer was lost returned the error %v", err)
				}
				if n := l.sent(); n != 1 {
					t.Errorf("it was sent %d times", n)
				}
			})
		}
	}
}

// A lossy network loses the answer to one script.
type lossy struct {
	mu    sync.Mutex
	armed bool
	seen  int // scripts that were sent since
}

func (l *lossy) loseNext() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed, l.seen = true, 0
}

func (l *lossy) sent() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}

func (l *lossy) dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	return &lossyConn{Conn: conn, lossy: l}, err
}

type lossyConn struct {
	net.Conn
	lossy *lossy
	lost  bool
}

func (c *lossyConn) Write(b []byte) (int, error) {
	c.lossy.mu.Lock()
	if n := bytes.Count(b, []byte("EVAL")); n > 0 {
		c.lossy.seen += n
		c.lost, c.lossy.armed = c.lost || c.lossy.armed, false
	}
	c.lossy.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.lossy.mu.Lock()
	defer c.lossy.mu.Unlock()
	if c.lost {
		c.Close()
		return 0, io.EOF
	}
	return n, err
}

// Redis forgets its scripts when it restarts, and answers that it has.
func (c Client) ofARedisThatRestarts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	st := patient(c.Single(t, server.Addr))
	must(st.Create(t.Context(), Record("user", "a"), store.Limit{}))
	heard := subscribed(t, st)
	server.Restart()
	soon(t, "a session to be created", func() bool {
		_, err := st.Create(t.Context(), Record("user", "b"), store.Limit{})
		return err == nil || errors.Is(err, store.ErrExists)
	})
	soon(t, "the subscription to stand anew", func() bool { return heard("") > 1 })
	must(st.Revoke(t.Context(), "user", "b", store.Revocation{}))
	soon(t, "a notice", func() bool { return heard("user") > 0 })
}

func (c Client) ofARedisThatStalls(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	pool := c.Single(t, server.Addr)
	st := patient(pool)
	must(st.Create(t.Context(), Record("user", "a"), store.Limit{}))
	for range 200 { // so that the client has dialled whatever it wants to
		must(st.Find(t.Context(), "user", "a"))
	}
	server.Pause()
	impatient := store.NewRedis(pool)
	impatient.Timeout = 200 * time.Millisecond
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := impatient.Find(t.Context(), "user", "a"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Find on a Redis that stalls: %v", err)
			}
		})
	}
	wg.Wait()
	server.Resume()
	soon(t, "a session to be found", func() bool {
		_, err := st.Find(t.Context(), "user", "a")
		return err == nil
	})
}

// A call ends when its time is over, also if it is the dialler that does not return.
func (c Client) whoseDiallerHangs(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var hangs atomic.Bool
	released := make(chan struct{})
	pool := c.Dialled(t, server.Addr, func(ctx context.Context, addr string) (net.Conn, error) {
		if hangs.Load() {
			<-released
		}
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	})
	st := patient(pool)
	must(st.Create(t.Context(), Record("user", "a"), store.Limit{}))
	for range 200 { // so that the client has dialled whatever it wants to
		must(st.Find(t.Context(), "user", "a"))
	}
	hangs.Store(true)
	server.Restart()
	impatient := store.NewRedis(pool)
	impatient.Timeout = 100 * time.Millisecond
	ended := make(chan error, 10)
	go func() {
		for range cap(ended) {
			_, err := impatient.Find(t.Context(), "user", "a")
			ended <- err
		}
	}()
	soon(t, "calls to end while the dialler hangs", func() bool { return len(ended) == cap(ended) })
	close(released)
	for range cap(ended) {
		if err := <-ended; err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("Find while the dialler hangs: %v", err)
		}
	}
}

// While a revocation waits for replicas, others are answered.
func (c Client) waitsForReplicasAside(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := primary.StartReplica(t, nil)
	pool := c.Single(t, primary.Addr)
	st := Replicated(pool, 1)
	for _, id := range []string{"a", "b"} {
		must(st.Create(t.Context(), Record("user", id), store.Limit{}))
	}
	must(st.Revoke(t.Context(), "user", "b", store.Revocation{})) // from then on Redis knows the script
	replica.Pause()
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		_, err := st.Revoke(context.Background(), "user", "a", store.Revocation{})
		if err != nil { // it was to wait for the replica as long as that takes
			t.Errorf("Revoke: %v", err)
		}
	}()
	soon(t, "the revocation", func() bool {
		_, err := st.Find(t.Context(), "user", "a")
		return errors.Is(err, store.ErrRevoked)
	})
	for i := range 200 {
		must(st.Create(t.Context(), Record("other", fmt.Sprint(i)), store.Limit{}))
		must(st.Find(t.Context(), "other", fmt.Sprint(i)))
	}
	select {
	case <-waiting:
		t.Error("the revocation did not wait")
	default:
	}
	replica.Resume()
	<-waiting
}

func (c Client) tellsOfReplicasThatDoNotKnow(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	replica := primary.StartReplica(t, nil)
	st := Replicated(c.Single(t, primary.Addr), 1)
	st.Timeout = 4 * time.Second
	replica.Pause()
	wantNotReplicated(t, st)

	// A primary that dies while it waits has revoked.
	st.Timeout = time.Minute
	must(st.Create(t.Context(), later(Record("user", "dying")), store.Limit{}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err := st.Revoke(context.Background(), "user", "dying", store.Revocation{})
		if !errors.Is(err, store.ErrNotReplicated) || r.ID != "dying" {
			t.Errorf("Revoke returned %+v and the error %v", r, err)
		}
	}()
	soon(t, "the revocation", func() bool {
		_, err := st.Find(t.Context(), "user", "dying")
		return errors.Is(err, store.ErrRevoked)
	})
	primary.Kill()
	<-done
}

// wantNotReplicated checks that a revocation which no replica confirms returns what it
// has ended, and says so.
func wantNotReplicated(t *testing.T, st *store.Redis) {
	t.Helper()
	id := fmt.Sprint(time.Now().UnixNano())
	must(st.Create(t.Context(), later(Record("user", id)), store.Limit{}))
	r, err := st.Revoke(t.Context(), "user", id, store.Revocation{})
	if !errors.Is(err, store.ErrNotReplicated) || r.ID != id {
		t.Errorf("Revoke returned %+v and the error %v", r, err)
	}
	if err := st.RevokeEveryone(t.Context()); !errors.Is(err, store.ErrNotReplicated) {
		t.Errorf("RevokeEveryone returned the error %v", err)
	}
}

func (c Client) ofALimiter(t *testing.T) {
	t.Parallel()
	l := store.NewRedisLimiter(c.Single(t, redistest.Start(t).Addr), 3, time.Hour)
	l.Timeout = time.Minute
	for i := range 4 {
		wait := must(l.Allow(t.Context(), "key"))
		if (wait > 0) != (i == 3) {
			t.Errorf("attempt %d is to wait %v", i, wait)
		}
	}
}
