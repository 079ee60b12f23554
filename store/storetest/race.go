package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// rounds runs a race again and again, each time with another user: a few times,
// and then up to 500 times for as long as that takes no more than a moment. A
// store that looks first and acts later, with as much as a round trip in between,
// is found out in most rounds.
func (t *trial) rounds(race func()) {
	t.Helper()
	const few, enough, moment = 25, 500, 150 * time.Millisecond
	for start, n := time.Now(), 0; n < few || n < enough && time.Since(start) < moment; n++ {
		t.user = newUser()
		race()
	}
}

// linger lets the other parties of a race get anywhere between two of their steps.
func linger() {
	for end := time.Now().Add(rand.N(200 * time.Microsecond)); time.Now().Before(end); {
		runtime.Gosched()
	}
}

// together calls do n times at once, and returns the errors.
func together(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = do(i)
		})
	}
	done.Wait()
	return errs
}

// wantWinner checks that all but one of the errors are what losers get, and
// returns the index of the one, which is nil.
func (t *trial) wantWinner(errs []error, loses error) int {
	t.Helper()
	winner, winners := 0, 0
	for i, err := range errs {
		switch {
		case err == nil:
			winner = i
			winners++
		case !errors.Is(err, loses):
			t.Fatalf("one of %d calls at once returned the error %v, want %v", len(errs), err, loses)
		}
	}
	if winners != 1 {
		t.Fatalf("%d of %d calls at once succeeded, want one", winners, len(errs))
	}
	return winner
}

var raceCases = []testCase{
	{
		name: "of creates under a limit",
		rule: "The limit is kept in the same step: 50 sign-ins at once under a limit of 3 leave 3 sessions, and evict each of the others once.",
		run: func(t *trial) {
			t.rounds(func() {
				var mu sync.Mutex
				var evicted []string
				for _, err := range together(50, func(i int) error {
					gone, err := t.Create(t.ctx, t.record(fmt.Sprint(i)), store.Limit{Max: 3})
					mu.Lock()
					defer mu.Unlock()
					evicted = append(evicted, ids(gone)...)
					return err
				}) {
					t.wantError("Create", err, nil)
				}
				live, err := t.List(t.ctx, t.user)
				t.wantError("List", err, nil)
				slices.Sort(evicted)
				once := len(slices.Compact(slices.Clone(evicted)))
				if len(live) != 3 || len(evicted) != 47 || once != 47 {
					t.Fatalf("%d sessions are live, and %d evictions of %d sessions were returned, want 3 and 47 of 47", len(live), len(evicted), once)
				}
				for _, r := range live {
					if slices.Contains(evicted, r.ID) {
						t.Fatalf("session %q is live, and was returned as evicted", r.ID)
					}
				}
			})
		},
	},
	{
		name: "of creates of one id",
		rule: "Of several sessions created at once under one id, one is, and the others are refused with ErrExists.",
		run: func(t *trial) {
			t.rounds(func() {
				records := make([]store.Record, 6)
				for i := range records {
					records[i] = t.record("a")
					records[i].Data = fmt.Append(nil, i)
				}
				errs := together(len(records), func(i int) error {
					_, err := t.Create(t.ctx, records[i], store.Limit{})
					return err
				})
				t.wantLive(records[t.wantWinner(errs, store.ErrExists)])
			})
		},
	},
	{
		name: "of creates that happen once",
		rule: "Of several sessions created under one id with Once, while it is revoked again and again, one is, ever.",
		run: func(t *trial) {
			t.rounds(func() {
				var created atomic.Int32
				errs := together(6, func(i int) error {
					for range 3 {
						var err error
						if i%3 == 2 {
							_, err = t.Revoke(t.ctx, t.user, "a", store.Revocation{})
						} else if _, err = t.Create(t.ctx, t.once("a"), store.Limit{}); err == nil {
							created.Add(1)
						}
						if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrRevoked) && !errors.Is(err, store.ErrExists) {
							return err
						}
						runtime.Gosched()
					}
					return nil
				})
				for _, err := range errs {
					t.wantError("one of the parties", err, nil)
				}
				if n := created.Load(); n != 1 {
					t.Fatalf("%d sessions were created, want one", n)
				}
			})
		},
	},
	{
		name: "of touches with updates",
		rule: "Touch changes nothing but what it names: it undoes no update, though both are under way.",
		run: func(t *trial) {
			t.rounds(func() {
				r := t.have("a")[0]
				latest := r.SeenAt.Add(time.Hour)
				var done atomic.Bool
				errs := together(3, func(i int) error {
					for ; i > 0 && !done.Load(); runtime.Gosched() {
						if err := t.Touch(t.ctx, t.user, "a", store.Touch{SeenAt: latest, ExpiresAt: r.ExpiresAt}); err != nil {
							return err
						}
					}
					if i > 0 {
						return nil
					}
					defer done.Store(true)
					for n := range 20 {
						was := r.Secret
						r.Secret, r.Data = store.HashSecret(fmt.Sprint(n)), fmt.Append(nil, n)
						if err := t.Update(t.ctx, r, was); err != nil {
							return fmt.Errorf("update %d: %w", n, err)
						}
						got, err := t.Find(t.ctx, t.user, "a")
						if err != nil || string(got.Data) != string(r.Data) {
							return fmt.Errorf("after update %d with the data %q, Find returned %q and the error %v", n, r.Data, got.Data, err)
						}
					}
					return nil
				})
				for _, err := range errs {
					t.wantError("one of the writers", err, nil)
				}
				t.touch("a", store.Touch{SeenAt: latest})
				r.SeenAt = latest
				t.wantLive(r)
			})
		},
	},
	{
		name: "of touches",
		rule: "Of touches at once the latest time stays, whichever comes last.",
		run: func(t *trial) {
			t.rounds(func() {
				r := t.have("a")[0]
				errs := together(8, func(i int) error {
					later := time.Duration(i) * time.Second
					return t.Touch(t.ctx, t.user, "a", store.Touch{SeenAt: r.SeenAt.Add(later), ExpiresAt: r.ExpiresAt.Add(-later)})
				})
				for _, err := range errs {
					t.wantError("Touch", err, nil)
				}
				r.SeenAt = r.SeenAt.Add(7 * time.Second)
				t.wantLive(r)
			})
		},
	},
	{
		name: "of updates with reads",
		rule: "Update is one step: Find and List return a session as it was before or after, never half of each.",
		run: func(t *trial) {
			t.rounds(func() {
				one := t.have("a")[0]
				two := renewed(one)
				var done atomic.Bool
				var halves []string
				errs := together(2, func(i int) error {
					if i == 0 {
						defer done.Store(true)
						for n := range 20 {
							next, was := two, one
							if n%2 == 1 {
								next, was = one, two
							}
							if err := t.Update(t.ctx, next, was.Secret); err != nil {
								return err
							}
							linger()
						}
						return nil
					}
					for ; !done.Load(); runtime.Gosched() {
						r, err := t.Find(t.ctx, t.user, "a")
						if err != nil {
							return err
						}
						whole := one
						if r.Secret == two.Secret {
							whole = two
						}
						if string(r.Data) != string(whole.Data) || string(r.Client) != string(whole.Client) || !sameTime(r.SeenAt, whole.SeenAt) {
							halves = append(halves, fmt.Sprintf("%q of %q seen at %v", r.Data, r.Client, r.SeenAt))
						}
					}
					return nil
				})
				for _, err := range errs {
					t.wantError("a reader or writer", err, nil)
				}
				if len(halves) > 0 {
					t.Fatalf("Find returned %d halves, such as %s", len(halves), halves[0])
				}
			})
		},
	},
}
