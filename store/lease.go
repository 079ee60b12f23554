package store

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"
)

// Leased is a [Store] that may answer from memory whether a session is live.
//
// It has two rules (Gray and Cheriton, 1989). It says yes from memory only if less than the
// lease has passed since it asked the store. And if it ends a session, it answers only when
// the lease has passed since the store answered. By then, whatever any process remembers
// of the session is too old to be used.
//
// The rules need clocks that run equally fast, to a tenth. The clocks need not show the
// same time.
type Leased struct {
	inner Store
	wait  time.Duration // before a revocation is answered
	hold  time.Duration // of an answer, from when the store was asked
	now   func() time.Time
	held  *leases
}

// Lease returns a store over st whose [Leased.Live] answers from memory for less than
// d. It is for servers that check access tokens by the thousand. Find always asks st.
//
// Each revocation is answered d later, and so is a sign-out, and a sign-in that evicts. If a
// session is not found, or the acting session has ended, as in a second sign-out, that
// answer comes d later too: somebody else may have ended the session, and may still be
// waiting. So choose a d of 100 milliseconds to 2 seconds, below the timeouts of servers and
// clients.
//
// Every process that asks or revokes must have the same d. If you raise it, deploy twice:
// first with [Leased.Hold] at the old d, then without. If you lower it, do the same in
// reverse. A process that revokes without a Leased breaks the promise for all who have one.
//
// Leases do not stack: a server that tells others whether a session is live must ask by
// Find. Put a Leased outermost, as in Lease(Encrypt(st), d), or nothing comes from memory.
//
// If a process was stopped, or a machine slept, it knows that what it remembers is too old:
// the monotonic clock and the wall clock must both say that it is fresh. If a virtual
// machine was paused, or restored from a snapshot, neither clock shows it. If that can last
// longer than a tenth of d, use no leases there.
func Lease(st Store, d time.Duration) *Leased {
	l := &Leased{inner: st, wait: max(0, d), now: time.Now, held: newLeases()}
	return l.Hold(d)
}

// Hold lets l answer from memory for less than d, and never if d is zero. Revocations wait
// as long as before. Call it before l is used. It returns l.
func (l *Leased) Hold(d time.Duration) *Leased {
	d = min(max(0, d), l.wait)
	l.hold = d - d/10
	return l
}

// Unwrap returns the inner store.
func (l *Leased) Unwrap() Store { return l.inner }

// errSlow is the error if the store's answers are too old when they come.
var errSlow = errors.New("store: lease: the store answers more slowly than the lease lasts")

// askTries bounds how often Live asks for an answer that is not too old.
const askTries = 3

// Live returns a live session as Find does, but without its data. It answers from memory if
// the lease allows it. The store's answer may be older than the lease when it comes, because
// the store was slow or this process stood still. Live does not use such an answer: it asks
// again, and after the third returns an error. The record is shared: do not change its slices.
func (l *Leased) Live(ctx context.Context, user, id string) (Record, error) {
	if a, ok := l.held.get(user, id); ok && l.mayGive(a) {
		return a.record, a.err
	}
	if l.hold == 0 {
		a := l.ask(ctx, user, id)
		return a.record, a.err
	}
	if a, ok := l.held.join(ctx, user, id); ok && a.isKept() && l.mayGive(a) {
		return a.record, a.err
	}
	for range askTries {
		a := l.held.lead(user, id, func() answer { return l.ask(ctx, user, id) })
		if a.err != nil || l.isFresh(a) {
			return a.record, a.err
		}
	}
	return Record{}, errSlow
}

// ask asks the store, and remembers what it says.
func (l *Leased) ask(ctx context.Context, user, id string) answer {
	a := answer{id: id, asked: l.now()}
	a.record, a.err = l.inner.Find(ctx, user, id)
	a.record.Data = nil
	l.keep(user, a)
	return a
}

// keep remembers that a session is live or was revoked. That there is none it does not:
// the session may just be created.
func (l *Leased) keep(user string, a answer) {
	switch {
	case l.hold == 0:
	case a.isKept():
		l.held.put(user, a, l.hold)
	case errors.Is(a.err, ErrNotFound):
		l.held.forget(user)
	}
}

// isFresh reports whether an answer may be given, which was asked for after the question
// came or is to be given from memory. The time is read after the question came: on that
// the rule rests.
func (l *Leased) isFresh(a answer) bool {
	now := l.now()
	wall := now.Round(0).Sub(a.asked.Round(0)) // the monotonic clock stands still while a machine sleeps
	return now.Sub(a.asked) < l.hold && 0 <= wall && wall < l.hold
}

// mayGive reports whether an answer may be given that was asked for before the question
// came.
func (l *Leased) mayGive(a answer) bool { return l.isFresh(a) && l.now().Before(a.record.ExpiresAt) }

// Listen follows the store's notices until ctx is done: if one of a user's sessions has
// ended, it drops at once what is remembered of that user. So revocations take effect
// sooner. The promise does not rest on it. If the store is no [Subscriber], Listen returns
// at once.
func (l *Leased) Listen(ctx context.Context) {
	for st := l.inner; ; {
		if s, ok := st.(Subscriber); ok {
			s.Subscribe(ctx, func(user string) {
				if user == "" {
					l.held.forgetAll()
				} else {
					l.held.forget(user)
				}
			})
			return
		}
		decorator, ok := st.(interface{ Unwrap() Store })
		if !ok {
			return
		}
		st = decorator.Unwrap()
	}
}

// answered waits after a call by which sessions of a user may have ended, now or in
// another call that is waiting itself, until nobody may say any more that they are live.
// Without a user the sessions are everyone's.
func (l *Leased) answered(user string, err error) {
	if user == "" {
		l.held.forgetAll()
	} else {
		l.held.forget(user)
	}
	switch {
	case err == nil, errors.Is(err, ErrNotFound), errors.Is(err, ErrActorRevoked), errors.Is(err, ErrNotReplicated):
		time.Sleep(l.wait)
	}
}

// Create implements [Store].
func (l *Leased) Create(ctx context.Context, r Record, limit Limit) ([]Record, error) {
	evicted, err := l.inner.Create(ctx, r, limit)
	if len(evicted) > 0 {
		l.answered(r.User, err)
	}
	return evicted, err
}

// Find implements [Store]. It always asks the inner store.
func (l *Leased) Find(ctx context.Context, user, id string) (Record, error) {
	a := answer{id: id, asked: l.now()}
	r, err := l.inner.Find(ctx, user, id)
	a.record, a.err = r, err
	a.record.Client, a.record.Data = slices.Clone(r.Client), nil
	l.keep(user, a)
	return r, err
}

// Update implements [Store].
func (l *Leased) Update(ctx context.Context, r Record, was Hash) error {
	return l.inner.Update(ctx, r, was)
}

// Touch implements [Store]. What is remembered it touches as well: else the session would
// be touched again until the lease is over.
func (l *Leased) Touch(ctx context.Context, user, id string, t Touch) error {
	err := l.inner.Touch(ctx, user, id, t)
	if err == nil {
		l.held.touch(user, id, t.SeenAt)
	}
	return err
}

// List implements [Store].
func (l *Leased) List(ctx context.Context, user string) ([]Record, error) {
	return l.inner.List(ctx, user)
}

// Revoke implements [Store].
func (l *Leased) Revoke(ctx context.Context, user, id string, why Revocation) (Record, error) {
	r, err := l.inner.Revoke(ctx, user, id, why)
	l.answered(user, err)
	return r, err
}

// RevokeAll implements [Store].
func (l *Leased) RevokeAll(ctx context.Context, user, keep string, why Revocation) ([]Record, error) {
	ended, err := l.inner.RevokeAll(ctx, user, keep, why)
	l.answered(user, err)
	return ended, err
}

// RevokeEveryone implements [Store].
func (l *Leased) RevokeEveryone(ctx context.Context) error {
	err := l.inner.RevokeEveryone(ctx)
	l.answered("", err)
	return err
}

// RevokedEveryone implements [Store].
func (l *Leased) RevokedEveryone(ctx context.Context) (time.Time, error) {
	return l.inner.RevokedEveryone(ctx)
}

// All implements [Store].
func (l *Leased) All(ctx context.Context) iter.Seq2[Record, error] { return l.inner.All(ctx) }
