package sqlstore_test

import (
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// patience is the time limit of calls on a machine that is busy.
const patience = 30 * time.Second

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// record returns a live session.
func record(user, id string) store.Record {
	now := time.Now().Truncate(time.Microsecond)
	return store.Record{
		User: user, ID: id, Secret: store.HashSecret("secret of " + id),
		CreatedAt: now, SeenAt: now, ProvedAt: now, ExpiresAt: now.Add(time.Hour),
		Client: []byte("client of " + id), Data: []byte("data of " + id),
	}
}
