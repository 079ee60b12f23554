package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/storetest"
)

func TestLease(t *testing.T) {
	for _, test := range []struct {
		name string
		open func(t *testing.T) store.Store
	}{
		{"memory", func(*testing.T) store.Store { return store.NewMemory() }},
		{"encrypted", func(t *testing.T) store.Store { return encrypted(t, store.NewMemory(), aesKey(t)) }},
		{"redis", func(t *testing.T) store.Store { return store.NewRedis(redistest.Start(t).Pool()) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			st := test.open(t)
			storetest.Run(t, func() store.Store { return store.Lease(st, time.Millisecond) })
			storetest.RunLeases(t, func() store.Store { return st })
		})
	}
}

func aesKey(t *testing.T) store.Key {
	t.Helper()
	key, err := store.AESGCM("lease", make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestLeasePassesOn shows that a Leased hides nothing of the store that it wraps.
func TestLeasePassesOn(t *testing.T) {
	memory := store.NewMemory()
	if l := store.Lease(memory, time.Second); l.Unwrap() != store.Store(memory) || store.Encrypts(l) {
		t.Error("memory")
	}
	if !store.Encrypts(store.Lease(encrypted(t, memory, aesKey(t)), time.Second)) {
		t.Error("that the store encrypts is hidden")
	}
}

// A slow store counts what it is asked, and lets a test act between its answer and
// whoever asked.
type slow struct {
	store.Store
	mu    sync.Mutex
	finds int
	then  func() // after an answer to Find; nil for nothing
}

func (s *slow) Find(ctx context.Context, user, id string) (store.Record, error) {
	r, err := s.Store.Find(ctx, user, id)
	s.mu.Lock()
	s.finds++
	then := s.then
	s.mu.Unlock()
	if then != nil {
		then()
	}
	return r, err
}

func (s *slow) act(then func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.then = then
}

func (s *slow) asked() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, s.finds = s.finds, 0
	return n
}

// leased returns two processes over one memory, in which ann has a session.
func leased(t *testing.T) (memory *slow, a, b *store.Leased) {
	t.Helper()
	m := store.NewMemory()
	mustCreate(t, m, session("ann", "1", time.Hour))
	memory = &slow{Store: m}
	return memory, store.Lease(memory, lease), store.Lease(memory, lease)
}

// TestLiveFromMemory shows for how long an answer is remembered, and of what.
func TestLiveFromMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, a, _ := leased(t)
		live := func(want error, asked int) store.Record {
			t.Helper()
			r, err := a.Live(t.Context(), "ann", "1")
			if n := st.asked(); !errors.Is(err, want) || n != asked {
				t.Errorf("%v, %d questions; want %v, %d", err, n, want, asked)
			}
			return r
		}
		if r := live(nil, 1); r.Data != nil || r.ID != "1" || string(r.Client) != "client" {
			t.Errorf("%+v", r)
		}
		time.Sleep(lease*9/10 - time.Nanosecond)
		live(nil, 0)
		time.Sleep(time.Nanosecond)
		live(nil, 1)
		seen := time.Now().Add(time.Minute).UTC().Truncate(time.Microsecond)
		a.Touch(t.Context(), "ann", "1", store.Touch{SeenAt: seen, ExpiresAt: time.Now().Add(time.Hour)})
		if r := live(nil, 0); !r.SeenAt.Equal(seen) {
			t.Errorf("last seen %v after a touch at %v", r.SeenAt, seen)
		}
		if _, err := a.Find(t.Context(), "ann", "1"); err != nil || st.asked() != 1 {
			t.Error("Find answers from memory")
		}
		a.Revoke(t.Context(), "ann", "1", store.Revocation{Reason: "lost"})
		live(store.ErrRevoked, 1)
		if r := live(store.ErrRevoked, 0); r.Revoked.Reason != "lost" {
			t.Errorf("%+v", r.Revoked)
		}
		for range 2 { // that there is none is not remembered
			if _, err := a.Live(t.Context(), "ann", "2"); !errors.Is(err, store.ErrNotFound) || st.asked() != 1 {
				t.Errorf("%v", err)
			}
		}
		mustCreate(t, st.Store.(*store.Memory), session("bob", "1", lease/2))
		a.Live(t.Context(), "bob", "1")
		time.Sleep(lease / 2)
		if _, err := a.Live(t.Context(), "bob", "1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("expired: %v", err)
		}
	})
}

// TestSlowStore shows that a store which answers more slowly than a lease lasts leads
// to an error and to no yes.
func TestSlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, a, _ := leased(t)
		st.act(func() { time.Sleep(lease) })
		if _, err := a.Live(t.Context(), "ann", "1"); err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrRevoked) {
			t.Errorf("%v", err)
		}
		st.act(nil)
		if _, err := a.Live(t.Context(), "ann", "1"); err != nil {
			t.Errorf("fast again: %v", err)
		}
	})
}

// TestQuestionsJoin shows that one question is asked for all who want to know, and that
// nobody fails because another has given up.
func TestQuestionsJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, a, _ := leased(t)
		st.act(func() { time.Sleep(lease / 2) })
		first, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 10 {
			ctx := t.Context()
			if i == 0 {
				ctx = first
			}
			all.Go(func() {
				if _, err := a.Live(ctx, "ann", "1"); err != nil {
					t.Errorf("%d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if n := st.asked(); n != 1 {
			t.Errorf("%d questions", n)
		}
		time.Sleep(lease)
		failing := store.Lease(canceled{st}, lease)
		all.Go(func() {
			if _, err := failing.Live(first, "ann", "1"); !errors.Is(err, context.Canceled) {
				t.Errorf("whoever gave up: %v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if _, err := failing.Live(t.Context(), "ann", "1"); err != nil {
				t.Errorf("who had joined: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		all.Wait()
	})
}

// A canceled store returns the error of a context that is done when it answers.
type canceled struct{ store.Store }

func (c canceled) Find(ctx context.Context, user, id string) (store.Record, error) {
	r, err := c.Store.Find(ctx, user, id)
	if ctx.Err() != nil {
		return store.Record{}, ctx.Err()
	}
	return r, err
}

// TestHold shows the first of two deployments that raise a lease: the wait is the new
// one, and nothing comes from memory for longer than before.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, _, _ := leased(t)
		for _, hold := range []time.Duration{0, lease / 2, 2 * lease} {
			a := store.Lease(st, lease).Hold(hold)
			for range 2 {
				a.Live(t.Context(), "ann", "1")
			}
			if n := st.asked(); (n == 2) != (hold == 0) {
				t.Errorf("hold %v: %d questions", hold, n)
			}
			time.Sleep(min(hold, lease) * 9 / 10)
			if a.Live(t.Context(), "ann", "1"); st.asked() != 1 {
				t.Errorf("hold %v: from memory for too long", hold)
			}
			begun := time.Now()
			if a.Revoke(t.Context(), "ann", "none", store.Revocation{}); time.Since(begun) != lease {
				t.Errorf("hold %v: answered after %v", hold, time.Since(begun))
			}
		}
	})
}

// TestLeasesDoNotAddUp shows that a lease on top of a lease asks the store.
func TestLeasesDoNotAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := leased(t)
		on := store.Lease(b, lease)
		time.Sleep(lease / 2)
		b.Live(t.Context(), "ann", "1")
		time.Sleep(lease / 2)
		on.Live(t.Context(), "ann", "1")
		a.Revoke(t.Context(), "ann", "1", store.Revocation{})
		if _, err := on.Live(t.Context(), "ann", "1"); !errors.Is(err, store.ErrRevoked) {
			t.Errorf("after the answer: %v", err)
		}
	})
}

// TestListen shows that notices make a revocation take effect before it is answered.
func TestListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := store.NewMemory()
		a, b := store.Lease(m, lease), store.Lease(encrypted(t, m, store.Plain, aesKey(t)), lease)
		ctx, cancel := context.WithCancel(t.Context())
		go b.Listen(ctx)
		synctest.Wait()
		for id, end := range map[string]func(){
			"1": func() { a.Revoke(t.Context(), "ann", "1", store.Revocation{}) },
			"2": func() { a.RevokeEveryone(t.Context()) },
		} {
			mustCreate(t, m, session("ann", id, time.Hour))
			b.Live(t.Context(), "ann", id)
			go end()
			synctest.Wait()
			if _, err := b.Live(t.Context(), "ann", id); err == nil {
				t.Error("the notice was not heeded")
			}
			time.Sleep(2 * lease)
		}
		cancel()
		synctest.Wait()
	})
}
