package watch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/internal/watch"
	"github.com/revoke-sessions/revoke/store"
)

// A countingStore says when sessions are looked up. Its subscription stands, and
// never tells, as if every notice was lost.
type countingStore struct {
	store.Store

	mu     sync.Mutex
	finds  []time.Time
	failed error         // what Find returns, if not nil
	takes  time.Duration // by each Find
	now    int           // how many run now
	most   int           // how many ran at once
}

func (s *countingStore) Subscribe(ctx context.Context, ended func(string)) {
	ended("")
	<-ctx.Done()
}

// A silentStore is not a store.Subscriber.
type silentStore struct{ store.Store }

// An unsteadyStore loses every notice, but says when its subscription stands anew.
type unsteadyStore struct {
	store.Store
	stands chan struct{}
}

func (s unsteadyStore) Subscribe(ctx context.Context, ended func(string)) {
	for {
		select {
		case <-s.stands:
			ended("")
		case <-ctx.Done():
			return
		}
	}
}

func (s *countingStore) Find(ctx context.Context, user, id string) (store.Record, error) {
	s.mu.Lock()
	s.finds = append(s.finds, time.Now())
	s.now++
	s.most = max(s.most, s.now)
	takes, err := s.takes, s.failed
	s.mu.Unlock()
	time.Sleep(takes)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	if err != nil {
		return store.Record{}, err
	}
	return s.Store.Find(ctx, user, id)
}

func (s *countingStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

// lookups returns how often sessions were looked up since it was asked last, and
// how often at most in any 5 seconds of them.
func (s *countingStore) lookups() (all, atOnce int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, first := range s.finds {
		n, _ := slices.BinarySearchFunc(s.finds[i:], first.Add(5*time.Second), time.Time.Compare)
		atOnce = max(atOnce, n)
	}
	all = len(s.finds)
	s.finds = nil
	return all, atOnce
}

// create makes a session of the user "ann", who may have many.
func create(t *testing.T, st store.Store, id string, lifetime time.Duration) store.Record {
	t.Helper()
	now := time.Now()
	r := store.Record{User: "ann", ID: id, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(lifetime)}
	if _, err := st.Create(t.Context(), r, 0); err != nil {
		t.Fatal(err)
	}
	return r
}

// An end is what a watcher was told, and when.
type end struct {
	after time.Duration
	err   error
}

// ends collects what watchers are told.
type ends struct {
	mu    sync.Mutex
	start time.Time
	of    map[string][]end
}

func newEnds() *ends { return &ends{start: time.Now(), of: make(map[string][]end)} }

func (e *ends) note(watcher string) func(store.Record, error) {
	return func(_ store.Record, err error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.of[watcher] = append(e.of[watcher], end{time.Since(e.start), err})
	}
}

func (e *ends) get(watcher string) []end {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.of[watcher]
}

// run gives a test a clock of its own. A watch that has nothing left to watch, and
// does not end soon, fails the test.
func run(t *testing.T, test func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		test(t)
		time.Sleep(10 * time.Second)
	})
}

func TestExpiryIsHeardWithinFiveSeconds(t *testing.T) {
	run(t, func(t *testing.T) {
		st := &countingStore{Store: store.NewMemory()}
		w, told := watch.New(st), newEnds()
		lifetimes := []time.Duration{
			time.Second, 7 * time.Second, 29 * time.Second, 31 * time.Second, 62 * time.Second, 89 * time.Second, 3 * time.Minute, time.Hour,
		}
		const each = 20 // as chance has its part in when a session is looked up
		for _, lifetime := range lifetimes {
			for i := range each {
				id := fmt.Sprint(lifetime, i)
				w.Add(create(t, st, id, lifetime), told.note(id))
			}
		}
		time.Sleep(2 * time.Hour)
		for _, lifetime := range lifetimes {
			for i := range each {
				got := told.get(fmt.Sprint(lifetime, i))
				if len(got) != 1 || !errors.Is(got[0].err, store.ErrNotFound) || got[0].after < lifetime || got[0].after > lifetime+5*time.Second {
					t.Errorf("of a session that expires after %v its watcher was told %v", lifetime, got)
				}
			}
		}
	})
}

func TestSessionThatIsProlongedIsWatchedOn(t *testing.T) {
	run(t, func(t *testing.T) {
		st := &countingStore{Store: store.NewMemory()}
		w, told := watch.New(st), newEnds()
		r := create(t, st, "id", time.Minute)
		w.Add(r, told.note("id"))
		time.Sleep(50 * time.Second)
		if err := st.Touch(t.Context(), r.User, r.ID, store.Touch{SeenAt: time.Now(), ExpiresAt: r.CreatedAt.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Minute)
		if got := told.get("id"); got != nil {
			t.Errorf("told %v of a session that is live", got)
		}
		time.Sleep(time.Minute)
		if got := told.get("id"); len(got) != 1 || got[0].after > time.Hour+5*time.Second {
			t.Errorf("told %v of a session that expires after an hour", got)
		}
	})
}

func TestLiveSessionsAreLookedUpSeldomAndNotAllAtOnce(t *testing.T) {
	run(t, func(t *testing.T) {
		st := &countingStore{Store: store.NewMemory()}
		w := watch.New(st)
		const sessions = 100
		var removes []func()
		for i := range sessions {
			id := fmt.Sprint(i)
			removes = append(removes, w.Add(create(t, st, id, 24*time.Hour), nil))
		}
		time.Sleep(time.Second)
		st.lookups() // when the subscription stands, each is looked up
		time.Sleep(time.Hour)
		all, atOnce := st.lookups()
		if all < 50*sessions || all > 65*sessions {
			t.Errorf("each session was looked up %d times in an hour", all/sessions)
		}
		if atOnce > sessions/2 {
			t.Errorf("%d of %d sessions were looked up at once", atOnce, sessions)
		}
		for _, remove := range removes {
			remove()
			remove()
		}
		time.Sleep(10 * time.Second)
		st.lookups()
		time.Sleep(time.Hour)
		if all, _ := st.lookups(); all != 0 {
			t.Errorf("%d look-ups while nothing is watched", all)
		}
	})
}

func TestSessionThatCannotBeLookedUpIsWatchedOn(t *testing.T) {
	run(t, func(t *testing.T) {
		st := &countingStore{Store: store.NewMemory()}
		w, told := watch.New(st), newEnds()
		w.Add(create(t, st, "id", time.Hour), told.note("id"))
		time.Sleep(time.Second)
		st.fail(errors.New("out of reach"))
		w.Look(t.Context(), "ann", "id")
		st.lookups()
		if _, err := st.Revoke(t.Context(), "ann", "id", store.Revocation{At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if all, _ := st.lookups(); all != 12 {
			t.Errorf("looked up %d times in a minute, want every 5 seconds", all)
		}
		if got := told.get("id"); got != nil {
			t.Errorf("told %v while the store was out of reach", got)
		}
		st.fail(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := told.get("id"); len(got) != 1 || !errors.Is(got[0].err, store.ErrRevoked) {
			t.Errorf("told %v once the store was back", got)
		}
	})
}

func TestStoreThatDoesNotTellIsAskedEveryFiveSeconds(t *testing.T) {
	for _, st := range []store.Store{
		silentStore{store.NewMemory()},
		unsteadyStore{Store: store.NewMemory()}, // its subscription never stands
	} {
		run(t, func(t *testing.T) {
			w, told := watch.New(st), newEnds()
			w.Add(create(t, st, "id", time.Hour), told.note("id"))
			time.Sleep(10 * time.Minute)
			if _, err := st.Revoke(t.Context(), "ann", "id", store.Revocation{At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if got := told.get("id"); len(got) != 1 || !errors.Is(got[0].err, store.ErrRevoked) {
				t.Errorf("%T: told %v", st, got)
			}
		})
	}
}

func TestAllAreLookedUpWhenTheSubscriptionStandsAnew(t *testing.T) {
	run(t, func(t *testing.T) {
		st := unsteadyStore{store.NewMemory(), make(chan struct{})}
		w, told := watch.New(st), newEnds()
		w.Add(create(t, st, "id", time.Hour), told.note("id"))
		st.stands <- struct{}{}
		time.Sleep(10*time.Minute + time.Second) // just after a tick
		if _, err := st.Revoke(t.Context(), "ann", "id", store.Revocation{At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := told.get("id"); got != nil {
			t.Errorf("told %v without a notice", got)
		}
		st.stands <- struct{}{}
		synctest.Wait()
		if got := told.get("id"); len(got) != 1 {
			t.Errorf("told %v when the subscription stood anew", got)
		}
	})
}

func TestEveryWatcherIsToldOnce(t *testing.T) {
	run(t, func(t *testing.T) {
		st := store.NewMemory()
		w, told := watch.New(st), newEnds()
		r, other := create(t, st, "id", time.Hour), create(t, st, "other", time.Hour)
		w.Add(r, told.note("first"))
		w.Add(r, told.note("second"))
		w.Add(r, told.note("removed"))()
		defer w.Add(other, told.note("other"))()
		if _, err := st.Revoke(t.Context(), "ann", "id", store.Revocation{At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.Look(t.Context(), "ann", "id")
		for watcher, want := range map[string]int{"first": 1, "second": 1, "removed": 0, "other": 0} {
			if got := told.get(watcher); len(got) != want {
				t.Errorf("%s was told %v", watcher, got)
			}
		}
	})
}

func TestLookupsAtOnceAreBounded(t *testing.T) {
	run(t, func(t *testing.T) {
		st := &countingStore{Store: store.NewMemory(), takes: 100 * time.Millisecond}
		w, told := watch.New(st), newEnds()
		for i := range 100 {
			id := fmt.Sprint(i)
			w.Add(create(t, st, id, 15*time.Second), told.note(id))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if st.most != 16 {
			t.Errorf("%d look-ups ran at once, want 16", st.most)
		}
		if len(told.of) != 100 {
			t.Errorf("%d watchers were told, want 100", len(told.of))
		}
	})
}
