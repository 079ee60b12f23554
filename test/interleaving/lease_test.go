package interleaving

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke/internal/interleave"
	"github.com/revoke-sessions/revoke/store"
)

// lease is on the clock of a bubble: it passes when somebody sleeps, and only then.
const lease = time.Second

// A leaseStage is a store over which processes have leases of ann's one session.
type leaseStage struct {
	run      *interleave.Run
	memory   *store.Memory
	answered bool  // a revocation was
	wrong    error // a yes after that

	asked, yes, stored int // how often in all orders: questions, those answered yes, those that the store was asked
}

// A leaseRole is a process, or the time.
type leaseRole struct {
	does string
	play func(*leaseStage)
}

// A pausingStore is one of which each call is a step, and from which each answer may take
// long to be used, as by a process that is stopped.
type pausingStore struct {
	store.Store
	stage *leaseStage
}

func pausing[A any](s *leaseStage, doing string, do func() (A, error)) (A, error) {
	s.run.Step(doing)
	a, err := do()
	s.run.Step("has the answer")
	return a, err
}

func (p pausingStore) Find(ctx context.Context, user, id string) (store.Record, error) {
	p.stage.stored++
	return pausing(p.stage, "looks the session up", func() (store.Record, error) { return p.Store.Find(ctx, user, id) })
}

func (p pausingStore) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	return pausing(p.stage, "evicts the session", func() ([]store.Record, error) { return p.Store.Create(ctx, r, limit) })
}

func (p pausingStore) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	return pausing(p.stage, "revokes the session", func() (store.Record, error) { return p.Store.Revoke(ctx, user, id, why) })
}

func (p pausingStore) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	return pausing(p.stage, "revokes all", func() ([]store.Record, error) { return p.Store.RevokeAll(ctx, user, keep, why) })
}

func (p pausingStore) RevokeEveryone(ctx context.Context) error {
	_, err := pausing(p.stage, "revokes everyone", func() (any, error) { return nil, p.Store.RevokeEveryone(ctx) })
	return err
}

func (s *leaseStage) record(id string) store.Record {
	now := time.Now()
	return store.Record{User: "ann", ID: id, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
}

// A process is one that ends sessions. By a mistake it may not be one of store.Lease.
type leaseProcess func(*leaseStage) store.Store

func waits(s *leaseStage) store.Store { return store.Lease(pausingStore{s.memory, s}, lease) }
func waitsLess(s *leaseStage) store.Store {
	return store.Lease(pausingStore{s.memory, s}, lease/2)
}
func doesNotWait(s *leaseStage) store.Store { return pausingStore{s.memory, s} }
func doesNotWaitForOthers(s *leaseStage) store.Store {
	return hastyStore{store.Lease(pausingStore{s.memory, s}, lease)}
}

// A hastyStore answers at once that there is nothing to revoke.
type hastyStore struct{ *store.Leased }

func (h hastyStore) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	if _, err := h.Unwrap().Find(ctx, user, id); err != nil {
		return store.Record{}, store.ErrNotFound
	}
	return h.Leased.Revoke(ctx, user, id, why)
}

// ending returns the role of a process that ends the session.
func ending(does string, process leaseProcess, end func(ctx context.Context, s *leaseStage, st store.Store) error) leaseRole {
	return leaseRole{does, func(s *leaseStage) {
		switch err := end(context.Background(), s, process(s)); {
		case err == nil, errors.Is(err, store.ErrNotFound):
			s.answered = true
		default:
			s.wrong = err
		}
	}}
}

func revoking(process leaseProcess) leaseRole {
	return ending("who revokes", process, func(ctx context.Context, _ *leaseStage, st store.Store) error {
		_, err := st.Revoke(ctx, "ann", "1", store.Revocation{})
		return err
	})
}

func leaseEndings(process leaseProcess) []leaseRole {
	return []leaseRole{
		revoking(process),
		ending("who revokes all", process, func(ctx context.Context, _ *leaseStage, st store.Store) error {
			_, err := st.RevokeAll(ctx, "ann", "", store.Revocation{})
			return err
		}),
		ending("who revokes everyone", process, func(ctx context.Context, _ *leaseStage, st store.Store) error { return st.RevokeEveryone(ctx) }),
		ending("who signs in", process, func(ctx context.Context, s *leaseStage, st store.Store) error {
			_, err := st.Create(ctx, s.record("2"), store.Limit{Max: 1})
			return err
		}),
	}
}

// asking returns the role of a process that asks so many times, and uses the session in
// between.
func asking(times int, using func(ctx context.Context, l *store.Leased)) leaseRole {
	return leaseRole{"a service", func(s *leaseStage) {
		l := store.Lease(pausingStore{s.memory, s}, lease)
		for i := range times {
			if i > 0 && using != nil {
				using(context.Background(), l)
			}
			s.run.Step("is asked")
			s.asked++
			_, err := l.Live(context.Background(), "ann", "1")
			if err != nil {
				continue
			}
			if s.yes++; s.answered {
				s.wrong = errors.New("a process says yes after the revocation was answered")
			}
		}
	}}
}

func touching(ctx context.Context, l *store.Leased) {
	_ = l.Touch(ctx, "ann", "1", store.Touch{SeenAt: time.Now().Add(time.Minute), ExpiresAt: time.Now().Add(time.Hour)})
}

func finding(ctx context.Context, l *store.Leased) { _, _ = l.Find(ctx, "ann", "1") }

// passing returns the role of the time, of which so many thirds of a lease pass.
func passing(thirds int) leaseRole {
	return leaseRole{"the time", func(s *leaseStage) {
		for range thirds {
			s.run.Step("passes")
			time.Sleep(lease / 3)
		}
	}}
}

func (s *leaseStage) play(roles ...leaseRole) interleave.Program {
	return func(run *interleave.Run) func() error {
		s.run = run
		s.memory, s.answered, s.wrong = store.NewMemory(), false, nil
		_, err := s.memory.Create(context.Background(), s.record("1"), store.Limit{})
		for i, role := range roles {
			run.Go(fmt.Sprintf("%s (%d)", role.does, i+1), func() { role.play(s) })
		}
		return func() error { return errors.Join(err, s.wrong) }
	}
}

// TestEveryInterleavingOfLeases runs processes that end a session beside one that
// remembers it and may be stopped at any time, in every order of their calls and of the
// time that passes.
func TestEveryInterleavingOfLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, orders := new(leaseStage), 0
		all := func(roles ...leaseRole) {
			result := interleave.All(s.play(roles...))
			if orders += result.Orders; result.Failure != nil {
				t.Errorf("%d of %d orders fail:\n%v", result.Failed, result.Orders, result.Failure)
			}
		}
		for _, end := range leaseEndings(waits) {
			all(end, asking(2, nil), passing(2))
		}
		all(revoking(waits), asking(2, touching), passing(2))
		all(revoking(waits), asking(2, finding), passing(1))
		all(revoking(waits), revoking(waits), asking(2, nil), passing(1))
		t.Logf("%d orders, %d questions, of which %d came to the store, and %d were answered with yes", orders, s.asked, s.stored, s.yes)
		if s.yes == 0 || s.stored >= s.asked {
			t.Error("nothing came from memory")
		}
	})
}

// TestInterleavingOfLeasesFindsMistakes shows that each of these is found.
func TestInterleavingOfLeasesFindsMistakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, roles := range map[string][]leaseRole{
			"who revokes has no lease":           {revoking(doesNotWait), asking(2, nil)},
			"who revokes has a shorter one":      {revoking(waitsLess), asking(2, nil)},
			"not found is answered at once":      {revoking(waits), revoking(doesNotWaitForOthers), asking(2, nil)},
			"who evicts has no lease":            {leaseEndings(doesNotWait)[3], asking(2, nil)},
			"who revokes everyone does not wait": {leaseEndings(doesNotWait)[2], asking(2, nil)},
		} {
			if result := interleave.All(new(leaseStage).play(roles...)); result.Failure == nil {
				t.Errorf("%s: not found in %d orders", name, result.Orders)
			} else {
				t.Logf("%s: found in %d of %d orders:\n%v", name, result.Failed, result.Orders, result.Failure)
			}
		}
	})
}
