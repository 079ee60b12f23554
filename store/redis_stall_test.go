package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// silent listens, and accepts connections of which it reads nothing.
func silent(t *testing.T) (addr string) {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return l.Addr().String()
}

func TestRedisStalls(t *testing.T) {
	block := func(t *testing.T) func() {
		ended := make(chan struct{})
		t.Cleanup(func() { close(ended) })
		return func() { <-ended }
	}
	for _, test := range []struct {
		name string
		pool func(t *testing.T) store.Pool
	}{
		{"without answering", func(t *testing.T) store.Pool {
			addr := silent(t)
			return &redis.Pool{Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr) }}
		}},
		{"without answering AUTH", func(t *testing.T) store.Pool {
			addr := silent(t)
			return &redis.Pool{Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr, redis.DialPassword("p")) }}
		}},
		{"without answering AUTH, dialled with the context", func(t *testing.T) store.Pool {
			addr := silent(t)
			return &redis.Pool{DialContext: func(ctx context.Context) (redis.Conn, error) {
				return redis.DialContext(ctx, "tcp", addr, redis.DialPassword("p"))
			}}
		}},
		{"in Dial", func(t *testing.T) store.Pool {
			wait := block(t)
			return &redis.Pool{Dial: func() (redis.Conn, error) { wait(); return nil, io.EOF }}
		}},
		{"in TestOnBorrow", func(t *testing.T) store.Pool {
			wait := block(t)
			pool := redistest.Start(t).Pool()
			pool.TestOnBorrow = func(redis.Conn, time.Time) error { wait(); return nil }
			var conns []redis.Conn
			for range methods {
				conns = append(conns, pool.Get())
			}
			for _, conn := range conns {
				conn.Close()
			}
			return pool
		}},
		{"in a pool that waits", func(t *testing.T) store.Pool {
			pool := redistest.Start(t).Pool()
			pool.MaxActive, pool.Wait = 1, true
			conn := pool.Get()
			t.Cleanup(func() { conn.Close() })
			return pool
		}},
		{"in a pool of another kind", func(t *testing.T) store.Pool {
			wait := block(t)
			return poolFunc(func() redis.Conn { wait(); return answer{} })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantFailures(t, t.Context(), impatient(test.pool(t)))
		})
		t.Run(test.name+", with a deadline", func(t *testing.T) {
			t.Parallel()
			st := store.NewRedis(test.pool(t))
			st.Timeout = time.Hour
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			wantFailures(t, ctx, st)
			if deadline, _ := ctx.Deadline(); time.Until(deadline) > 100*time.Millisecond {
				t.Error("the calls failed well before the deadline")
			}
		})
	}
}

type poolFunc func() redis.Conn

func (f poolFunc) Get() redis.Conn { return f() }

func TestRedisStallsWhileMuchIsWritten(t *testing.T) {
	addr := silent(t)
	st := impatient(&redis.Pool{Dial: func() (redis.Conn, error) { return redis.Dial("tcp", addr) }})
	r := record("user", "a")
	r.Data = make([]byte, 32<<20)                      // more than the system takes on its own account
	_, err := st.Create(t.Context(), r, store.Limit{}) // without a time limit it would never return
	wantFailure(t, "Create", err)
	clear(r.Data) // belongs to the caller again
}

func TestRedisStallsAndGoesOn(t *testing.T) {
	server := redistest.Start(t)
	pool := server.Pool()
	st := impatient(pool)
	wantWorks(t, pool, 0)
	server.Pause()
	wantFailures(t, t.Context(), st)
	server.Resume()
	wantWorks(t, pool, pool.IdleCount())
}

// A call that has failed for want of a connection is not carried out later.
func TestRedisSendsNothingAfterAStalledDial(t *testing.T) {
	server := redistest.Start(t)
	goOn := make(chan struct{})
	pool := server.Pool()
	pool.Dial = func() (redis.Conn, error) {
		<-goOn
		return redistest.Dial(server.Addr)
	}
	st := impatient(pool)
	_, err := st.Create(t.Context(), record("user", "a"), store.Limit{})
	wantFailure(t, "Create", err)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Create that ran out of time returned the error %v", err)
	}
	close(goOn)
	for pool.IdleCount() == 0 {
		time.Sleep(time.Millisecond) // until the connection that came late is in the pool
	}
	if list := must(patient(pool).List(t.Context(), "user")); len(list) > 0 {
		t.Error("a session was created after its Create had failed")
	}
	if n := pool.ActiveCount(); n != 1 {
		t.Errorf("there are %d connections, want 1", n)
	}
}

// While Redis drops what it is sent, calls that have failed leave no more than so
// many goroutines behind, however many there are.
func TestRedisStallsAndFewWait(t *testing.T) {
	const calls, atMost = 2000, 300
	wait := make(chan struct{})
	var dialling atomic.Int32
	st := store.NewRedis(&redis.Pool{Dial: func() (redis.Conn, error) {
		dialling.Add(1)
		defer dialling.Add(-1)
		<-wait
		return nil, io.EOF
	}})
	st.Timeout = 100 * time.Millisecond
	before := runtime.NumGoroutine()
	for range calls / 500 {
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				_, err := st.Find(t.Context(), "user", "a")
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Find returned the error %v", err)
				}
			})
		}
		wg.Wait()
	}
	if n := runtime.NumGoroutine() - before; n > atMost {
		t.Errorf("%d calls have left %d goroutines, %d of them in Dial", calls, n, dialling.Load())
	}
	close(wait)
	st.Timeout = time.Minute
	for range 300 { // and all the places are free again
		if _, err := st.Find(t.Context(), "user", "a"); !errors.Is(err, io.EOF) {
			t.Fatalf("Find returned the error %v", err)
		}
	}
}

func TestRedisPoolExhausted(t *testing.T) {
	for _, wait := range []bool{false, true} {
		t.Run(fmt.Sprint("wait=", wait), func(t *testing.T) {
			pool := redistest.Start(t).Pool()
			pool.MaxActive, pool.Wait = 2, wait
			st := impatient(pool)
			one, two := pool.Get(), pool.Get()
			wantFailures(t, t.Context(), st)
			one.Close()
			two.Close()
			wantWorks(t, pool, 0)
			if n := pool.ActiveCount(); n > 2 {
				t.Errorf("there are %d connections, want 2", n)
			}
		})
	}
}

func TestRedisConnectionCut(t *testing.T) {
	for _, after := range []int{0, 1, 5, 30} { // bytes of an answer
		t.Run(fmt.Sprintf("after %d bytes", after), func(t *testing.T) {
			server := redistest.Start(t)
			proxy := redistest.NewProxy(t, server)
			pool := proxy.Pool()
			st := impatient(pool)
			must(patient(pool).Create(t.Context(), record("user", "0"), store.Limit{}))
			proxy.Cut(after)
			_, err := st.Find(t.Context(), "user", "0")
			wantFailure(t, "Find", err)
			_, err = st.List(t.Context(), "user")
			wantFailure(t, "List", err)
			if after <= 5 {
				wantFailures(t, t.Context(), st)
			}
			proxy.Heal()
			wantWorks(t, pool, 0)
		})
	}
	t.Run("before the command", func(t *testing.T) {
		server := redistest.Start(t)
		proxy := redistest.NewProxy(t, server)
		pool := proxy.Pool()
		st := impatient(pool)
		wantWorks(t, pool, 0)
		proxy.Refuse()
		wantFailures(t, t.Context(), st)
		proxy.Heal()
		wantWorks(t, pool, pool.IdleCount())
	})
}

// A call whose caller has gone away keeps its connection, which is whole.
func TestRedisCancelledInTheMiddle(t *testing.T) {
	proxy := redistest.NewProxy(t, redistest.Start(t))
	pool := proxy.Pool()
	st := patient(pool)
	must(st.List(t.Context(), "user"))
	proxy.Stall()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, func() {
		cancel()
		proxy.Heal()
	})
	if _, err := st.List(ctx, "user"); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("List returned the error %v", err)
	}
	for pool.IdleCount() == 0 {
		time.Sleep(time.Millisecond)
	}
	must(st.List(t.Context(), "user"))
	if n := proxy.Accepted(); n != 1 {
		t.Errorf("there were %d connections, want 1", n)
	}
}
