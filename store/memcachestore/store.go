// Package memcachestore keeps signed-in sessions, and visitors' sessions, on
// Memcached.
//
// Memcached promises less than other stores, so read this first. It may forget
// anything at any time: it restarts empty, and when it is full it forgets what was
// not used for long. What follows from that is:
//
//   - Whoever's sessions are forgotten is signed out, everywhere at once.
//   - Nothing comes back. A write that was under way when they were forgotten changes
//     nothing.
//   - The generation that all sessions belong to can be forgotten as well. Then
//     everybody is signed out, and [Store.RevokedEveryone] returns that time, since
//     nobody can tell whether RevokeEveryone was called before.
//   - Tombstones, marks, and the ids that can be created only once can be forgotten
//     early. Random ids do not need them. But a sign-in that is under way while all
//     sessions of its user are revoked may succeed if the mark is forgotten at that
//     moment, and sessions from before, which other stores take over, are not taken
//     over here: RevokedEveryone is never zero.
//   - [Store.All] is not supported, because Memcached does not say what it has, and
//     there is no Subscribe, because it tells nobody of a change.
//
// Memcached also has no clock that a condition could go by. What has expired is
// judged by the clocks of the nodes, so keep them in step.
//
// One memcached is best. If there are several, give the same list of them to every
// node, and use no proxy that sends a key elsewhere when a server fails. After each
// change of the list, also after changing it back, call RevokeEveryone: a server that
// had left the list may still have what was revoked since. Servers that restart
// number their values anew. So if one restarts between the two steps of a write, and
// gives its new value the very number that the old one had, the write puts the old
// one back. That cannot happen on the server that has the generation, nor if there
// is one only.
package memcachestore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/revoke-sessions/revoke/store"
)

// ErrTooLarge means that Memcached refused a value for its size. All that is kept of
// a user is one value, and so is the session of a visitor. Memcached takes a megabyte
// unless its option -I says more. Nothing was changed.
var ErrTooLarge = errors.New("too large for Memcached, see its option -I")

// errBusy means that other writes always came first.
var errBusy = fmt.Errorf("others changed the same value all the time: %w", context.DeadlineExceeded)

// A Store is a [store.Store] on Memcached. The package comment says what it cannot
// promise.
//
// All that is kept of a user is one value, which is read, changed, and written back
// under compare-and-swap. Its key is a hash of the user key and of the generation,
// which is random, and which RevokeEveryone replaces. So reading takes two round
// trips and writing three, and a write that another one overtakes is made again.
//
// A connection that Memcached has closed while it was idle fails the call that uses
// it next. That call is not repeated, because it may have been carried out.
type Store struct {
	// Prefix is what the keys begin with: "revoke:" if empty. It may have at most 200 bytes,
	// and no spaces or control characters.
	Prefix string

	// Timeout limits how long a call goes on while others change the same user:
	// 2 seconds unless it is positive. The client's own Timeout limits each round
	// trip, and the dialling before it. So a call may take that much longer.
	Timeout time.Duration

	client *memcache.Client
	queues [64]chan struct{} // with a place for one of the writes over keys that hash alike
	seed   maphash.Seed
}

var _ store.Store = (*Store)(nil)

// New returns a store on the servers that client leads to. Give the client as many
// idle connections as there are requests at a time.
func New(client *memcache.Client) *Store {
	s := &Store{client: client, seed: maphash.MakeSeed()}
	for i := range s.queues {
		s.queues[i] = make(chan struct{}, 1)
	}
	return s
}

func (s *Store) prefix() string {
	if s.Prefix == "" {
		return "revoke:"
	}
	return s.Prefix
}

func (s *Store) timeout() time.Duration {
	if s.Timeout <= 0 {
		return 2 * time.Second
	}
	return s.Timeout
}

// load returns what is live of a user.
func (s *Store) load(ctx context.Context, key string) (*account, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	generation, _, err := s.everyone()
	if err != nil {
		return nil, err
	}
	item, err := s.client.Get(s.itemKey(generation, key))
	if errors.Is(err, memcache.ErrCacheMiss) {
		return &account{key: key}, nil
	}
	if err != nil {
		return nil, err
	}
	return decode(key, item.Value, time.Now())
}

// change has do change what is live of a user, and writes that, in one atomic step.
// If do returns an error it writes nothing. It may call do several times.
func (s *Store) change(ctx context.Context, doing, key string, do func(a *account, now time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var answer error
	generation, _, err := s.everyone()
	if err == nil {
		err = s.swap(ctx, s.itemKey(generation, key), func(old []byte) ([]byte, time.Time, error) {
			now := time.Now()
			a, err := decode(key, old, now)
			if err != nil {
				return nil, time.Time{}, err
			}
			if answer = do(a, now); answer != nil {
				return nil, time.Time{}, answer
			}
			value, expires := a.encode()
			return value, expires, nil
		})
	}
	if answer != nil {
		return answer
	}
	return failed(doing, err)
}

// swap replaces the value of an item, which is nil if there is none, by what next
// makes of it, in one atomic step. It calls next again if another value came first,
// from another node: those of this one queue up. The zero time is no expiry.
func (s *Store) swap(ctx context.Context, key string, next func(old []byte) ([]byte, time.Time, error)) error {
	const minPause, maxPause = time.Millisecond, 32 * time.Millisecond
	pause, over := minPause, time.After(s.timeout())
	queue := s.queues[maphash.String(s.seed, key)%uint64(len(s.queues))]
	select {
	case queue <- struct{}{}:
		defer func() { <-queue }()
	case <-over:
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		write := s.client.CompareAndSwap
		item, err := s.client.Get(key)
		switch {
		case errors.Is(err, memcache.ErrCacheMiss):
			write, item = s.client.Add, &memcache.Item{Key: key}
		case err != nil:
			return err
		case item.CasID == 0:
			return errors.New("the server does not compare and swap: start it without its option -C")
		}
		var expires time.Time
		if item.Value, expires, err = next(item.Value); err != nil {
			return err
		}
		item.Expiration = expiration(time.Now(), expires)
		err = write(item)
		if !isOvertaken(err) {
			return sized(err)
		}
		select {
		case <-time.After(rand.N(pause)):
		case <-over:
			return errBusy
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, maxPause)
	}
}

// isOvertaken reports whether a value was not written because it is not the one that
// was read, or is not there any more.
func isOvertaken(err error) bool {
	return errors.Is(err, memcache.ErrCASConflict) || errors.Is(err, memcache.ErrNotStored) || errors.Is(err, memcache.ErrCacheMiss)
}

// sized returns err, and says so if it is for the size of a value.
func sized(err error) error {
	if err != nil && strings.Contains(err.Error(), "object too large") {
		return ErrTooLarge
	}
	return err
}

// expiration returns when an item may go, as Memcached is told: in so many seconds,
// or, beyond 30 days, at a date. It is a little later than expires, by which the
// value goes. A date that does not fit is never.
func expiration(now, expires time.Time) int32 {
	const latest, later = 30 * 24 * time.Hour, 2 * time.Second
	if expires.IsZero() {
		return 0
	}
	if left := max(expires.Sub(now), 0); left <= latest-later {
		return int32((left + later) / time.Second)
	}
	if date := expires.Add(later).Unix(); date == int64(int32(date)) {
		return int32(date)
	}
	return 0
}

// failed says what failed, if anything did.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("memcachestore: %s: %w", doing, err)
}
