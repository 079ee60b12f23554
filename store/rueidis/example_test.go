package rueidis_test

import (
	"log"

	client "github.com/redis/rueidis"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/rueidis"
)

// Sessions by way of the client that the application has already.
func ExamplePool() {
	c, err := client.NewClient(client.ClientOption{InitAddress: []string{"localhost:6379"}})
	if err != nil {
		log.Fatal(err)
	}
	var st store.Store = store.NewRedis(rueidis.Pool(c)) // for revoke.New
	_ = st
}
