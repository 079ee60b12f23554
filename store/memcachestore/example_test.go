package memcachestore_test

import (
	"github.com/alexedwards/scs/v2"
	"github.com/bradfitz/gomemcache/memcache"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/memcachestore"
)

// Users and visitors on the same servers.
func ExampleNew() {
	client := memcache.New("10.0.0.1:11211", "10.0.0.2:11211")
	var visitors scs.Store = memcachestore.NewVisitors(client) // for sm.Store
	var st store.Store = memcachestore.New(client)             // for revoke.New
	_, _ = visitors, st
}
