package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// impatient returns a store that gives up soon.
func impatient(pool store.Pool) *store.Redis {
	st := store.NewRedis(pool)
	st.Timeout = 200 * time.Millisecond
	return st
}

// wantFailures calls every method, all at once, and checks that each ends in time
// with an error that says that the store failed. "In time" has to do on a machine
// that is busy with other things.
func wantFailures(t *testing.T, ctx context.Context, st store.Store) {
	t.Helper()
	var wg sync.WaitGroup
	for _, m := range methods {
		wg.Go(func() {
			start := time.Now()
			wantFailure(t, m.name, m.call(ctx, st))
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%s took %v", m.name, took)
			}
		})
	}
	wg.Wait()
}

func wantFailure(t *testing.T, call string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s returned no error", call)
	} else if !strings.HasPrefix(err.Error(), "store: ") {
		t.Errorf("%s returned the error %q, which does not say what failed", call, err)
	}
	for _, answer := range []error{store.ErrNotFound, store.ErrRevoked, store.ErrStale, store.ErrExists, store.ErrActorRevoked} {
		if errors.Is(err, answer) {
			t.Errorf("%s returned the error %q, which is an answer", call, err)
		}
	}
}

// wantWorks checks that every method works, after at most so many failures.
func wantWorks(t *testing.T, pool store.Pool, failures int) {
	t.Helper()
	st := patient(pool)
	for _, m := range methods {
		err := m.call(t.Context(), st)
		for ; err != nil && failures > 0; failures-- {
			err = m.call(t.Context(), st)
		}
		if err != nil {
			t.Errorf("%s does not work again: %v", m.name, err)
		}
	}
}

func TestRedisDown(t *testing.T) {
	server := redistest.Start(t)
	pool := server.Pool()
	st := impatient(pool)
	wantWorks(t, pool, 0)
	server.Kill()
	wantFailures(t, t.Context(), st)
	server.Restart()
	wantWorks(t, pool, pool.IdleCount())
}

func TestRedisRestartsBetweenCalls(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	pool := server.Pool()
	st := patient(pool)
	var conns []redis.Conn
	for range 5 {
		conns = append(conns, pool.Get())
		must(conns[len(conns)-1].Do("PING"))
	}
	for _, conn := range conns {
		conn.Close()
	}
	r := record("user", "a")
	must(st.Create(t.Context(), r, store.Limit{}))
	must(st.Create(t.Context(), record("user", "b"), store.Limit{}))
	must(st.Revoke(t.Context(), "user", "b", store.Revocation{}))
	server.Restart()

	stale := pool.IdleCount() // each fails once
	for ; stale > 0; stale-- {
		if _, err := st.List(t.Context(), "user"); err == nil {
			break
		}
	}
	if !server.Real {
		must(st.List(t.Context(), "user"))
		return // miniredis has forgotten
	}
	if got := must(st.Find(t.Context(), "user", "a")); got.Secret != r.Secret {
		t.Error("a session is another after a restart")
	}
	if _, err := st.Find(t.Context(), "user", "b"); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("Find of a session revoked before the restart: %v", err)
	}
	wantWorks(t, pool, 0)
}

func TestRedisForgetsItsScripts(t *testing.T) {
	server := redistest.Start(t)
	st := patient(server.Pool())
	for _, m := range methods {
		server.Do("SCRIPT", "FLUSH")
		check(m.call(t.Context(), st))
	}
}

func TestRedisOutOfMemory(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	ctx := t.Context()
	pool := server.Pool()
	st := patient(pool)
	a, b, c, d := record("user", "a"), record("user", "b"), record("user", "c"), record("user", "d")
	for _, r := range []store.Record{a, b, c, d} {
		must(st.Create(ctx, r, store.Limit{}))
	}
	before := must(redis.StringMap(server.Do("HGETALL", "revoke:user"), nil))
	server.Do("CONFIG", "SET", "maxmemory", 1)

	_, err := st.Create(ctx, record("user", "new"), store.Limit{})
	wantFailure(t, "Create", err)
	_, err = st.Create(ctx, record("user", "new"), store.Limit{Max: 1})
	wantFailure(t, "Create with a limit", err)
	renewed := a
	renewed.Secret, renewed.Data = store.HashSecret("another"), nil
	wantFailure(t, "Update", st.Update(ctx, renewed, a.Secret))
	wantFailure(t, "Touch", st.Touch(ctx, "user", "a", store.Touch{SeenAt: time.Now().Add(time.Minute), Client: []byte("another")}))
	if after := must(redis.StringMap(server.Do("HGETALL", "revoke:user"), nil)); !maps.Equal(before, after) {
		t.Fatalf("calls that failed have left\n%q of\n%q", after, before)
	}

	if list := must(st.List(ctx, "user")); len(list) != 4 {
		t.Errorf("List returned %d sessions of 4", len(list))
	}
	must(st.Find(ctx, "user", "a"))
	must(st.Revoke(ctx, "user", "b", store.Revocation{By: "a", Reason: "a reason"}))
	if got, err := st.Find(ctx, "user", "b"); !errors.Is(err, store.ErrRevoked) || got.Revoked.Reason != "a reason" {
		t.Errorf("Find of a session that was revoked meanwhile: %v", err)
	}
	if revoked := must(st.RevokeAll(ctx, "user", "a", store.Revocation{By: "a"})); len(revoked) != 2 {
		t.Errorf("RevokeAll revoked %d sessions of 2", len(revoked))
	}
	if _, err := st.Find(ctx, "user", "c"); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("Find of a session that was revoked meanwhile: %v", err)
	}
	must(st.RevokeAll(ctx, "nobody", "", store.Revocation{Reason: "a reset"}))
	check(st.RevokeEveryone(ctx))
	if at := must(st.RevokedEveryone(ctx)); time.Since(at).Abs() > time.Minute {
		t.Errorf("everyone was revoked at %v", at)
	}
	server.Do("CONFIG", "SET", "maxmemory", 0)
	wantWorks(t, pool, 0)
}

func TestRedisReadOnly(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	ctx := t.Context()
	pool := server.Pool()
	st := patient(pool)
	must(st.Create(ctx, record("user", "0"), store.Limit{}))
	server.Do("REPLICAOF", "127.0.0.1", "1")
	for _, m := range methods {
		if err := m.call(ctx, st); m.name == "Find" || m.name == "List" {
			check(err)
		} else if m.name != "Create with a limit" || err != nil {
			wantFailure(t, m.name, err)
		}
	}
	server.Do("REPLICAOF", "NO", "ONE")
	must(st.Find(ctx, "user", "0"))
	wantWorks(t, pool, 0)
}

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
	r.Data = make([]byte, 32<<20) // more than the system takes on its own account
	start := time.Now()
	_, err := st.Create(t.Context(), r, store.Limit{})
	wantFailure(t, "Create", err)
	clear(r.Data) // belongs to the caller again
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Create took %v", took)
	}
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

func TestRedisKeyOfAnotherKind(t *testing.T) {
	server := redistest.Start(t)
	st := patient(server.Pool())
	server.Do("SET", "revoke:user", "another's")
	for _, m := range methods[:len(methods)-1] {
		wantFailure(t, m.name, m.call(t.Context(), st))
	}
	if got := must(redis.String(server.Do("GET", "revoke:user"), nil)); got != "another's" {
		t.Errorf("the key has become %q", got)
	}
}

func TestRedisMalformedFields(t *testing.T) {
	server := redistest.Start(t)
	st := patient(server.Pool())
	must(st.Create(t.Context(), record("user", "0"), store.Limit{}))
	good := must(redis.String(server.Do("HGET", "revoke:user", "s:0"), nil))
	for _, bad := range []string{"", " ", "x", good[:100], " " + good, good[1:], "x" + good, "3" + good[1:], "2" + good[1:123], strings.Repeat("nan ", 50)} {
		server.Do("HSET", "revoke:user", "s:0", bad)
		for _, m := range methods[:len(methods)-1] {
			if err := m.call(t.Context(), st); !strings.HasPrefix(m.name, "Create") { // which looks at the others beyond the limit only
				wantFailure(t, fmt.Sprintf("%s with the session %q", m.name, bad), err)
			}
		}
		if got := must(redis.String(server.Do("HGET", "revoke:user", "s:0"), nil)); got != bad {
			t.Errorf("%q has become %q", bad, got)
		}
	}
	server.Do("HSET", "revoke:user", "s:0", good, "order", "many\x00")
	must(st.Revoke(t.Context(), "user", "0", store.Revocation{}))
	for _, bad := range []string{"", " ", "x", good[:80], "3" + good[1:], strings.Repeat("nan ", 50)} {
		server.Do("HSET", "revoke:user", "t:0", bad)
		_, err := st.Find(t.Context(), "user", "0")
		wantFailure(t, fmt.Sprintf("Find of the tombstone %q", bad), err)
		wantFailure(t, "Touch", st.Touch(t.Context(), "user", "0", store.Touch{}))
	}
}

// A sign-in below the limit reads none of the other sessions.
func TestRedisSignsInWhateverElseThereIs(t *testing.T) {
	server := redistest.Start(t)
	st := patient(server.Pool())
	fill(t, server, st, "user", 99)
	for i := range 99 {
		server.Do("HSET", "revoke:user", fmt.Sprint("s:", i), "unreadable")
	}
	must(st.Create(t.Context(), record("user", "new"), store.Limit{Max: 100}))
	_, err := st.Create(t.Context(), record("user", "newer"), store.Limit{Max: 100})
	wantFailure(t, "Create at the limit", err)
}

// An answer is a connection that answers every command alike.
type answer struct{ reply any }

func (a answer) Get() redis.Conn                               { return a }
func (a answer) Close() error                                  { return nil }
func (a answer) Err() error                                    { return nil }
func (a answer) Do(string, ...any) (any, error)                { return a.reply, nil }
func (a answer) Send(string, ...any) error                     { return nil }
func (a answer) Flush() error                                  { return nil }
func (a answer) Receive() (any, error)                         { return a.reply, nil }
func (a answer) ReceiveWithTimeout(time.Duration) (any, error) { return a.reply, nil }
func (a answer) DoWithTimeout(time.Duration, string, ...any) (any, error) {
	return a.reply, nil
}

func TestRedisUnexpectedAnswers(t *testing.T) {
	ok, id, name := []byte("ok"), []byte("id"), []byte("s:id")
	for _, reply := range []any{
		nil, int64(1), "OK", []byte("ok"), []any{}, []any{nil}, []any{int64(1)}, []any{[]byte("unheard of")},
		[]any{ok, id}, []any{ok, id, nil}, []any{ok, nil, nil}, []any{ok, id, int64(1)}, []any{ok, id, id}, []any{ok, name, id},
		[]any{ok, []any{}, id}, []any{nil, nil, []any{}}, []any{redis.Error("ERR x"), nil, nil}, []any{nil, nil, nil, nil},
	} {
		for _, m := range methods {
			wantFailure(t, fmt.Sprintf("%s answered with %q", m.name, reply), m.call(t.Context(), store.NewRedis(answer{reply})))
		}
	}
	if _, err := store.NewRedis(answer{[]any{ok}}).Revoke(t.Context(), "user", "id", store.Revocation{}); err == nil {
		t.Error("Revoke that was answered with no session returned no error")
	}
}

// Whatever is in the fields of a record, Find returns it or an error, and what it
// returns comes back when it is stored anew.
func FuzzRecord(f *testing.F) {
	server := redistest.Start(f)
	st := patient(server.Pool())
	must(st.Create(f.Context(), record("user", "0"), store.Limit{}))
	must(st.Create(f.Context(), record("user", "1"), store.Limit{}))
	must(st.Revoke(f.Context(), "user", "1", store.Revocation{By: "0", Reason: "a reason"}))
	session := must(redis.Bytes(server.Do("HGET", "revoke:user", "s:0"), nil))
	tombstone := must(redis.Bytes(server.Do("HGET", "revoke:user", "t:1"), nil))
	f.Add(session, []byte("data"), []byte(nil))
	f.Add([]byte(nil), []byte(nil), tombstone)
	f.Add(session[:50], []byte{}, tombstone[:50])
	f.Add(append([]byte("2"), session[1:]...), []byte{}, append([]byte("2"), tombstone[1:]...))
	f.Fuzz(func(t *testing.T, session, data, tombstone []byte) {
		fields := []any{session, data, tombstone}
		if len(session) == 0 {
			fields[0] = nil
		}
		if len(tombstone) == 0 {
			fields[2] = nil
		}
		got, err := store.NewRedis(answer{fields}).Find(t.Context(), "user", "id")
		switch {
		case errors.Is(err, store.ErrRevoked):
			if got.Revoked == nil || got.Client != nil || got.Data != nil {
				t.Errorf("the tombstone is %+v", got)
			}
		case err == nil:
			if got.Revoked != nil || !time.Now().Before(got.ExpiresAt) {
				t.Errorf("the session is %+v", got)
			}
			sent := &sending{}
			store.NewRedis(sent).Update(t.Context(), got, got.Secret)
			again, err := store.NewRedis(answer{[]any{sent.session, data, nil}}).Find(t.Context(), "user", "id")
			if err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
				t.Errorf("%+v has come back as %+v, %v", got, again, err)
			}
		}
	})
}

// sending keeps the field of the session that Update sent.
type sending struct {
	answer
	session []byte
}

func (s *sending) Get() redis.Conn { return s }

func (s *sending) DoWithTimeout(_ time.Duration, _ string, args ...any) (any, error) {
	s.session = []byte(args[3+2].(string)) // after the script's hash, the number of keys and the key
	return nil, nil
}
