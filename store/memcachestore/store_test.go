package memcachestore_test

import (
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/memcachestore"
	"github.com/revoke-sessions/revoke/store/storetest"
)

func TestStore(t *testing.T) {
	client := start(t, "-m", "512", "-I", "8m").client()
	storetest.Run(t, func() store.Store {
		st := memcachestore.New(client)
		st.Timeout = time.Minute
		return st
	})
}
