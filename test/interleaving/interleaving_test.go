package interleaving

import (
	"testing"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/internal/theatre"
	"github.com/revoke-sessions/revoke/store"
)

// A session that was ended never comes back, in whatever order everything happens.
func TestEveryInterleaving(t *testing.T) { theatre.Every(t) }

func TestEveryInterleavingOfTokens(t *testing.T) { theatre.EveryOfTokens(t) }

func TestInterleavingOnRedis(t *testing.T) {
	redis := redistest.Start(t)
	st := store.NewRedis(redis.Pool())
	theatre.OnStore(t, func() store.Store {
		redis.Do("FLUSHALL")
		return st
	})
}

// What follows shows that those would find something.

func TestInterleavingOfPlainSCS(t *testing.T) { theatre.PlainSCS(t) }

func TestInterleavingFindsDefects(t *testing.T) { theatre.FindDefects(t) }

func TestInterleavingOfTokensFindsDefects(t *testing.T) { theatre.FindDefectsOfTokens(t) }
