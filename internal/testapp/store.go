package testapp

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// EachStore runs a test over every store.
func EachStore(t *testing.T, test func(t *testing.T, st store.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, store.NewMemory()) })
	t.Run("encrypted", func(t *testing.T) { test(t, Encrypted(t, store.NewMemory())) })
	t.Run("redis", func(t *testing.T) { test(t, store.NewRedis(redistest.Start(t).Pool())) })
}

// Encrypted returns st under a key of the test's.
func Encrypted(t testing.TB, st store.Store) store.Store {
	t.Helper()
	key, err := store.AESGCM("2026-11", make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	st, err = store.Encrypt(st, key)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// A Tap stands before a store. It remembers the calls, and lets a test fail some
// and act between two of them. It is no Subscriber, even if the store is one.
type Tap struct {
	store.Store

	// Fail returns the error that a call fails with, before it reaches the store,
	// or nil. It may be nil itself.
	Fail func(Call) error

	mu    sync.Mutex
	calls []Call
	after func(Call)
}

// A Call is one call of a store.
type Call struct {
	Method   string // "Find"
	User, ID string
	Record   store.Record // if the call has one
}

// NewTap returns a tap before st.
func NewTap(st store.Store) *Tap { return &Tap{Store: st} }

// AfterNext runs act once: after the store has answered the next call of method, and
// before the caller gets the answer. If act is nil, nothing runs.
func (p *Tap) AfterNext(method string, act func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.after = nil; act != nil {
		p.after = func(c Call) {
			if c.Method == method {
				p.AfterNext("", nil)
				act()
			}
		}
	}
}

// Calls returns the calls of some methods, or of all if none is named, in order.
func (p *Tap) Calls(methods ...string) (calls []Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.calls {
		if len(methods) == 0 || slices.Contains(methods, c.Method) {
			calls = append(calls, c)
		}
	}
	return calls
}

// Forget forgets the calls.
func (p *Tap) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = nil
}

// pass has a call reach the store, unless it is to fail.
func (p *Tap) pass(c Call, call func() error) error {
	p.mu.Lock()
	p.calls = append(p.calls, c)
	p.mu.Unlock()
	if p.Fail != nil {
		if err := p.Fail(c); err != nil {
			return err
		}
	}
	err := call()
	p.mu.Lock()
	after := p.after
	p.mu.Unlock()
	if after != nil {
		after(c)
	}
	return err
}

func (p *Tap) Create(ctx context.Context, r store.Record, limit store.Limit) (evicted []store.Record, err error) {
	err = p.pass(Call{"Create", r.User, r.ID, r}, func() error {
		evicted, err = p.Store.Create(ctx, r, limit)
		return err
	})
	return evicted, err
}

func (p *Tap) Find(ctx context.Context, user, id string) (r store.Record, err error) {
	err = p.pass(Call{Method: "Find", User: user, ID: id}, func() error {
		r, err = p.Store.Find(ctx, user, id)
		return err
	})
	return r, err
}

func (p *Tap) Update(ctx context.Context, r store.Record, was store.Hash) error {
	return p.pass(Call{"Update", r.User, r.ID, r}, func() error { return p.Store.Update(ctx, r, was) })
}

func (p *Tap) Touch(ctx context.Context, user, id string, t store.Touch) error {
	return p.pass(Call{Method: "Touch", User: user, ID: id}, func() error { return p.Store.Touch(ctx, user, id, t) })
}

func (p *Tap) List(ctx context.Context, user string) (list []store.Record, err error) {
	err = p.pass(Call{Method: "List", User: user}, func() error {
		list, err = p.Store.List(ctx, user)
		return err
	})
	return list, err
}

func (p *Tap) Revoke(ctx context.Context, user, id string, why store.Revocation) (r store.Record, err error) {
	err = p.pass(Call{Method: "Revoke", User: user, ID: id}, func() error {
		r, err = p.Store.Revoke(ctx, user, id, why)
		return err
	})
	return r, err
}

func (p *Tap) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) (ended []store.Record, err error) {
	err = p.pass(Call{Method: "RevokeAll", User: user, ID: keep}, func() error {
		ended, err = p.Store.RevokeAll(ctx, user, keep, why)
		return err
	})
	return ended, err
}
