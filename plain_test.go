//go:build plainscs

package revoke_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// TestPlainSCS puts plain scs through the same ways. It fails where scs closes
// one that the README says is open.
func TestPlainSCS(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			sm := scs.New()
			hooked := &hookedMemStore{MemStore: memstore.NewWithCleanupInterval(0)}
			sm.Store = hooked
			w := newWorld(t, sm, func(next http.Handler) http.Handler { return sm.LoadAndSave(next) })
			w.end = func(_ context.Context, token string) { sm.Store.Delete(token) }
			w.find = func(then func()) { hooked.afterFind = then }
			way.run(w)
			if w.opens() == "" {
				t.Errorf("with plain scs the session did not come back: %s", way.story)
			} else {
				t.Logf("with plain scs the session comes back: %s", way.story)
			}
		})
	}
}

type hookedMemStore struct {
	*memstore.MemStore
	afterFind func()
}

func (h *hookedMemStore) Find(token string) ([]byte, bool, error) {
	b, found, err := h.MemStore.Find(token)
	if then := h.afterFind; then != nil {
		h.afterFind = nil
		then()
	}
	return b, found, err
}
