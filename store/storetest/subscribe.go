package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// patience is how late a notice may be.
var patience = 10 * time.Second

// A listener is a subscription, and the users whom it was told of.
type listener struct {
	told     chan string
	cancel   context.CancelFunc
	returned chan struct{}
	overlaps atomic.Bool
}

// lacksSubscribe reports that the store does not tell when sessions end.
func lacksSubscribe(_ context.Context, st store.Store) bool {
	_, ok := st.(store.Subscriber)
	return !ok
}

// listen subscribes, and waits until the subscription stands. What is done when the
// store tells of a user may be given.
func (t *trial) listen(when ...func(user string)) *listener {
	t.Helper()
	subscriber := t.Store.(store.Subscriber)
	ctx, cancel := context.WithCancel(t.ctx)
	l := &listener{told: make(chan string, 1000), cancel: cancel, returned: make(chan struct{})}
	var busy atomic.Bool
	go func() {
		defer close(l.returned)
		subscriber.Subscribe(ctx, func(user string) {
			if !busy.CompareAndSwap(false, true) {
				l.overlaps.Store(true)
			}
			for _, f := range when {
				f(user)
			}
			l.told <- user
			time.Sleep(time.Millisecond)
			busy.Store(false)
		})
	}()
	t.wantTold(l, "that the subscription stands", "")
	return l
}

// wantTold waits for a notice of a user, or of all.
func (t *trial) wantTold(l *listener, what, user string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case told := <-l.told:
			if told == user || told == "" {
				return
			}
		case <-l.returned:
			t.Fatalf("Subscribe returned before its context was done")
		case <-late:
			t.Fatalf("Subscribe did not tell %s", what)
		}
	}
}

// settle waits until no more is told of what came before.
func (t *trial) settle(l *listener) {
	for quiet := time.After(20 * time.Millisecond); ; {
		select {
		case <-l.told:
		case <-quiet:
			return
		}
	}
}

// end ends the subscription, which must return then.
func (t *trial) end(l *listener) {
	t.Helper()
	l.cancel()
	select {
	case <-l.returned:
	case <-time.After(patience):
		t.Fatalf("Subscribe did not return when its context was done")
	}
	if l.overlaps.Load() {
		t.Fatalf("calls of ended overlapped")
	}
}

var subscribeCases = []testCase{
	{
		name: "tells of a user",
		rule: "Subscribe tells whose sessions were revoked or evicted, by whatever method.",
		run: func(t *trial) {
			l := t.listen()
			for name, end := range map[string]func(){
				"Revoke":    func() { t.revoke("a") },
				"RevokeAll": func() { t.markAllBut("", "a") },
				"Create":    func() { t.limitedTo(1, "new") },
			} {
				t.user = newUser()
				t.have("a")
				t.settle(l)
				end()
				t.wantTold(l, "of "+name, t.user)
			}
			t.end(l)
		},
	},
	{
		name: "tells of everyone",
		rule: "Subscribe tells with the empty string, when the subscription stands and after RevokeEveryone.",
		run: func(t *trial) {
			l := t.listen()
			t.have("a")
			t.settle(l)
			t.revokeEveryone()
			t.wantTold(l, "of RevokeEveryone", "")
			t.end(l)
		},
	},
	{
		name: "tells when it is over",
		rule: "Subscribe tells after sessions have ended: whoever then looks them up finds none of them live.",
		run: func(t *trial) {
			var mu sync.Mutex
			last := make(map[string]error) // what the last look-up on a notice said
			watched := make(map[string]bool)
			l := t.listen(func(string) {
				mu.Lock()
				defer mu.Unlock()
				for user := range watched {
					_, last[user] = t.Find(t.ctx, user, "a")
				}
			})
			for name, end := range map[string]func(){
				"Revoke":         func() { t.revoke("a") },
				"RevokeAll":      func() { t.markAllBut("", "a") },
				"Create":         func() { t.limitedTo(1, "new") },
				"RevokeEveryone": func() { t.revokeEveryone() },
			} {
				t.user = newUser()
				t.have("a")
				t.settle(l)
				mu.Lock()
				watched[t.user] = true
				mu.Unlock()
				end()
				t.within("a notice after "+name+", on which the session is not found live,", func() error {
					for {
						mu.Lock()
						err := last[t.user]
						mu.Unlock()
						if errors.Is(err, store.ErrRevoked) || errors.Is(err, store.ErrNotFound) {
							return nil
						}
						select {
						case <-l.told:
						case <-time.After(patience):
							return errors.New("the last notice came while the session was live")
						}
					}
				})
			}
			t.end(l)
		},
	},
	{
		name: "tells all who listen",
		rule: "Every subscription is told, and one that has ended or is busy keeps nothing from the others, nor from those who revoke.",
		run: func(t *trial) {
			gone := t.listen()
			t.end(gone)
			release, busy := make(chan struct{}), t.user
			slow := t.listen(func(user string) {
				if user == busy {
					<-release
				}
			})
			defer t.end(slow)
			defer close(release)
			one, two := t.listen(), t.listen()
			t.within("Revoke while a subscriber is busy", func() error {
				for range 20 {
					r := t.record(newUser())
					if _, err := t.Create(t.ctx, r, store.Limit{}); err != nil {
						return err
					}
					if _, err := t.Revoke(t.ctx, r.User, r.ID, store.Revocation{}); err != nil {
						return err
					}
				}
				return nil
			})
			t.wantTold(one, "of Revoke", t.user)
			t.wantTold(two, "of Revoke", t.user)
			t.end(one)
			t.end(two)
		},
	},
	{
		name: "calls one after another",
		rule: "Calls of ended do not overlap.",
		run: func(t *trial) {
			l := t.listen()
			for range 20 {
				t.user = newUser()
				t.have("a")
				t.revoke("a")
			}
			t.wantTold(l, "of Revoke", t.user)
			t.settle(l)
			t.end(l)
		},
	},
	{
		name: "lasts as long as its context",
		rule: "Subscribe returns when its context is done, and not before.",
		run: func(t *trial) {
			l := t.listen()
			select {
			case <-l.returned:
				t.Fatalf("Subscribe returned before its context was done")
			case <-time.After(20 * time.Millisecond):
			}
			t.end(l)
		},
	},
	{
		name: "tells again",
		rule: "Subscribe tells each time that sessions end, of the same user and of everyone, also after another subscription has ended.",
		run: func(t *trial) {
			l, other := t.listen(), t.listen()
			t.end(other)
			for i := range 3 {
				id := fmt.Sprint(i)
				t.have(id)
				t.settle(l)
				t.markAllBut("", id)
				t.wantTold(l, "of RevokeAll", t.user)
				t.have("another" + id)
				t.settle(l)
				t.revokeEveryone()
				t.wantTold(l, "of RevokeEveryone", "")
			}
			t.end(l)
		},
	},
	{
		name: "tells later what came while it was busy",
		rule: "Whoever looks up on a notice what they watch misses nothing: what ends while a call of ended runs is told after it.",
		run: func(t *trial) {
			busy, release, first := make(chan struct{}), make(chan struct{}), t.user
			var once sync.Once
			l := t.listen(func(user string) {
				if user == first {
					once.Do(func() { close(busy) })
					<-release
				}
			})
			t.have("a")
			t.revoke("a")
			t.within("a notice of the first user", func() error { <-busy; return nil })
			t.user = newUser()
			t.have("a")
			t.revoke("a")
			close(release)
			t.wantTold(l, "later of what ended while it was busy", t.user)
			t.end(l)
		},
	},
}
