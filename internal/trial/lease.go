package trial

import (
	"errors"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// Leases returns R18: another process says yes from memory. Its answers end before the
// revocation is answered, by whatever call the session ends.
func Leases() (all Ways) {
	for name, end := range map[string]func(m *revoke.Manager, id string) error{
		"Revoke":         func(m *revoke.Manager, id string) error { return m.Revoke(elsewhere, "ann", id) },
		"RevokeAll":      func(m *revoke.Manager, _ string) error { _, err := m.RevokeAll(elsewhere, "ann"); return err },
		"RevokeEveryone": func(m *revoke.Manager, _ string) error { return m.RevokeEveryone(elsewhere) },
		"eviction": func(m *revoke.Manager, _ string) error {
			m.MaxPerUser = 1
			_, err := m.Issue(elsewhere, "ann")
			return err
		},
	} {
		all = append(all, Way{"R18/" + name, "another process says yes from memory", func(t *testing.T, st store.Store) {
			underLease(t, st, end)
		}})
	}
	return all
}

func underLease(t *testing.T, st store.Store, end func(m *revoke.Manager, id string) error) {
	const lease = 200 * time.Millisecond
	app := testapp.New(t, store.Lease(st, lease)).TakeTokens()
	service := testapp.New(t, store.Lease(st, lease)) // another process
	service.Sessions.Authenticate = testapp.Minted
	app.Issued(t, "ann")
	session := app.List(t, "ann")[0]
	token := testapp.Mint(app.Sessions, session)
	live := revoke.LiveIn(store.Lease(st, lease)) // a third
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // asks all the time, so that there is always a fresh lease
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				service.With(t, token).Send("GET", "/me")
				_ = live(elsewhere, app.Sessions.SID(session))
			}
		}
	}()
	if !service.With(t, token).Opens() {
		t.Error("the token opens nothing while its session is live")
	}
	if err := end(app.Sessions, session.ID); err != nil {
		t.Error(err)
	}
	if service.With(t, token).Opens() {
		t.Error("another process says yes after the answer")
	}
	if err := live(elsewhere, app.Sessions.SID(session)); !errors.Is(err, revoke.ErrUnauthenticated) {
		t.Errorf("after the answer: %v", err)
	}
	close(stop)
	<-stopped
}
