package goredis_test

import (
	"github.com/redis/go-redis/v9"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/goredis"
)

// Sessions by way of the client that the application has already.
func ExamplePool() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
	var st store.Store = store.NewRedis(goredis.Pool(client)) // for revoke.New
	_ = st
}
