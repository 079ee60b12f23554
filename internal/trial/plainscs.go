package trial

import (
	"context"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke/internal/testapp"
)

// PlainSCS tries R1 to R11 over plain scs, and fails t if scs closes one of them.
func PlainSCS(t *testing.T) {
	for _, way := range alsoInPlainSCS {
		t.Run(way.name, func(t *testing.T) {
			sm, hooked := scs.New(), &hookedStore{MemStore: memstore.NewWithCleanupInterval(0)}
			sm.Store = hooked
			tr := serve(t, testapp.Over(sm, nil))
			tr.end = func(_ context.Context, token string) { hooked.Delete(token) }
			tr.find = func(then func()) { hooked.afterFind = then }
			way.run(tr)
			if tr.opens() == "" {
				t.Errorf("with plain scs the session did not come back: %s", way.story)
			} else {
				t.Logf("with plain scs the session comes back: %s", way.story)
			}
		})
	}
}

// A hookedStore is scs's own store, in which a test can act after the next look-up.
type hookedStore struct {
	*memstore.MemStore
	afterFind func()
}

func (h *hookedStore) Find(token string) ([]byte, bool, error) {
	b, found, err := h.MemStore.Find(token)
	if then := h.afterFind; then != nil {
		h.afterFind = nil
		then()
	}
	return b, found, err
}
