package adoption

import (
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestMain(m *testing.M) { testapp.Main(m) }

// visitorsTap is a visitors' store that fails, and lets a test act before a step.
type visitorsTap struct {
	*memstore.MemStore
	mu     sync.Mutex
	fail   error // what Commit returns
	onNext func()
}

func (v *visitorsTap) Commit(token string, b []byte, expiry time.Time) error {
	v.mu.Lock()
	fail, act := v.fail, v.onNext
	v.onNext = nil
	v.mu.Unlock()
	if act != nil {
		act()
	}
	if fail != nil {
		return fail
	}
	return v.MemStore.Commit(token, b, expiry)
}

func (v *visitorsTap) setFail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fail = err
}

// deployment is an application that has just come to revoke: plain is a node as it
// was before, app one as it is now, over the same visitors' store.
type deployment struct {
	app, plain *testapp.App
	visitors   *visitorsTap
}

// deploy is for the inside of a synctest bubble.
func deploy(t *testing.T, st store.Store, set ...func(*scs.SessionManager)) deployment {
	t.Helper()
	visitors := &visitorsTap{MemStore: memstore.NewWithCleanupInterval(0)}
	manager := func() *scs.SessionManager {
		sm := testapp.NewSCS()
		sm.Store = visitors
		for _, set := range set {
			set(sm)
		}
		return sm
	}
	return deployment{testapp.Over(manager(), st), testapp.Over(manager(), nil), visitors}
}

// signedInBefore returns a browser of the new node in which ann signed in on a
// plain one.
func (d deployment) signedInBefore(t *testing.T) *testapp.Browser {
	t.Helper()
	return d.app.BrowserWith(t, d.plain.SignedIn(t, "ann").Cookie)
}

func withIdle(d time.Duration) func(*scs.SessionManager) {
	return func(sm *scs.SessionManager) { sm.IdleTimeout = d }
}

func withHashes(sm *scs.SessionManager) { sm.HashTokenInStore = true }
