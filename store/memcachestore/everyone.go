package memcachestore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"iter"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/revoke-sessions/revoke/store"
)

// A generation is what all sessions that are live belong to. Those of another one are
// out of reach, because their keys are. It is random, so that no generation that
// has ended begins again, whatever Memcached forgets.
type generation [16]byte

const generationVersion = 1

// everyone returns the generation that is live and when it began. If there is none, it
// was forgotten, or this is the first call ever. Nobody can tell, so a new one begins.
func (s *Store) everyone() (generation, time.Time, error) {
	const tries = 10 // one is enough, unless Memcached forgets all the time
	key := s.prefix() + "everyone"
	for range tries {
		item, err := s.client.Get(key)
		if errors.Is(err, memcache.ErrCacheMiss) {
			item = &memcache.Item{Key: key, Value: newGeneration(time.Now())}
			err = s.client.Add(item)
		}
		if errors.Is(err, memcache.ErrNotStored) { // another call was quicker
			continue
		}
		if err != nil {
			return generation{}, time.Time{}, err
		}
		return decodeGeneration(item.Value)
	}
	return generation{}, time.Time{}, errBusy
}

// RevokeEveryone implements [store.Store], in one step.
func (s *Store) RevokeEveryone(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.swap(ctx, s.prefix()+"everyone", func(old []byte) ([]byte, time.Time, error) {
		now := time.Now()
		if old != nil {
			_, began, err := decodeGeneration(old)
			if err != nil {
				return nil, time.Time{}, err
			}
			if began.After(now) { // by the clock of another node
				now = began
			}
		}
		return newGeneration(now), time.Time{}, nil
	})
	return failed("revoke everyone", err)
}

// RevokedEveryone implements [store.Store], by the clock of the node that called
// RevokeEveryone. It also returns when Memcached was found to have forgotten, which
// is never the zero time.
func (s *Store) RevokedEveryone(ctx context.Context) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, err
	}
	_, began, err := s.everyone()
	return began, failed("look up when everyone was revoked", err)
}

// All yields an error that is [errors.ErrUnsupported]: Memcached does not say what
// it has.
func (s *Store) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		err := ctx.Err()
		if err == nil {
			err = failed("read all sessions", errors.ErrUnsupported)
		}
		yield(store.Record{}, err)
	}
}

// itemKey returns the key of what is kept of a user. It is a hash because Memcached
// takes neither long keys nor all bytes.
func (s *Store) itemKey(g generation, user string) string {
	return s.prefix() + hashed(string(g[:])+user)
}

func hashed(text string) string {
	hash := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

func newGeneration(began time.Time) []byte {
	var g generation
	rand.Read(g[:])
	return append(appendTime([]byte{generationVersion}, began), g[:]...)
}

func decodeGeneration(value []byte) (g generation, began time.Time, err error) {
	p := parser{rest: value}
	p.version(generationVersion)
	began = p.time()
	copy(g[:], p.cut(len(g)))
	return g, began, p.end()
}
