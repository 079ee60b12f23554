package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// flawed is the simplest store that keeps the contract, but for the one flaw
// that it is given.
type flawed struct {
	flaw     string
	mu       sync.Mutex
	ctx      context.Context // of the call that has it
	kept     map[[2]string]*kept
	users    map[string]time.Time // when the user's key expires, with a flaw
	marks    map[string]store.Revocation
	onces    map[[2]string]time.Time
	everyone time.Time
	tell     []chan string
	torn     map[[2]string]store.Record // tombstones that Find alone knows, with a flaw
	found    map[[2]string]store.Record // what Find has found, with a flaw
	arrived  int                        // how many tombstones have come
	refusal  *store.MarkedError         // the last one
	memory   []byte                     // with a flaw
}

// kept is a session or a tombstone, with what some flaws keep apart from it.
type kept struct {
	store.Record
	rank, deadline, first time.Time // for eviction, for expiry, the first expiry
	arrived               int       // as a tombstone
}

func newFlawed(flaw string) *flawed {
	s := &flawed{flaw: flaw}
	s.wipe()
	return s
}

func (s *flawed) wipe() {
	s.kept, s.users = make(map[[2]string]*kept), make(map[string]time.Time)
	s.torn, s.found = make(map[[2]string]store.Record), make(map[[2]string]store.Record)
	s.marks, s.onces = make(map[string]store.Revocation), make(map[[2]string]time.Time)
}

func (s *flawed) is(flaw string) bool {
	if _, ok := flaws[flaw]; !ok {
		panic("no test names the flaw " + flaw)
	}
	return s.flaw == flaw
}

// gap lets others in, as a store does that goes over the network twice.
func (s *flawed) gap(flaw string) {
	if s.is(flaw) {
		s.mu.Unlock()
		time.Sleep(20 * time.Microsecond)
		s.mu.Lock()
	}
}

func (s *flawed) enter(ctx context.Context) error {
	err := ctx.Err()
	if s.is("ignores the context") || s.is("looks for cancellation only") && !errors.Is(err, context.Canceled) {
		err = nil
	}
	if err == nil {
		s.mu.Lock()
		s.ctx = ctx
	}
	return err
}

func (s *flawed) userKey(user string) string {
	if s.is("user keys end at a NUL") {
		user, _, _ = strings.Cut(user, "\x00")
	}
	return user
}

func (s *flawed) key(user, id string) [2]string {
	switch {
	case s.is("ids fold case"):
		return [2]string{user, strings.ToLower(id)}
	case s.is("ids are trimmed"):
		return [2]string{user, strings.TrimSpace(id)}
	case s.is("ids are of all users"):
		return [2]string{"", id}
	case s.is("names are joined"):
		return [2]string{"", user + ":" + id}
	}
	return [2]string{s.userKey(user), id}
}

func (s *flawed) expired(k *kept) bool {
	now := time.Now()
	switch {
	case s.is("Touch and Update leave the deadline"):
		return !now.Before(k.deadline)
	case s.is("a user's sessions expire as one"):
		return !now.Before(s.users[k.User])
	case s.is("tombstones never expire") && k.Revoked != nil:
		return false
	case s.is("revocations end at their time") && k.Revoked != nil && k.Revoked.At.After(now):
		return true
	}
	return !now.Before(k.ExpiresAt)
}

// find returns what is kept, or why it is not live.
func (s *flawed) find(user, id string) (*kept, error) {
	k := s.kept[s.key(user, id)]
	switch {
	case k == nil || s.expired(k) || s.fails("a look-up that fails finds nothing"):
		return nil, store.ErrNotFound
	case k.Revoked != nil:
		return k, store.ErrRevoked
	}
	return k, nil
}

// live returns the user's live sessions but one, the least recently seen first.
func (s *flawed) live(user, but string) (live []*kept) {
	for _, k := range s.kept {
		mine := s.userKey(k.User) == s.userKey(user) || s.is("the limit counts every user") && but != ""
		if mine && k.ID != but && k.Revoked == nil && !s.expired(k) {
			live = append(live, k)
		}
	}
	slices.SortFunc(live, func(a, b *kept) int { return cmp.Or(a.rank.Compare(b.rank), cmp.Compare(a.ID, b.ID)) })
	return live
}

func (s *flawed) rank(r store.Record) time.Time {
	switch {
	case s.is("evicts the oldest sign-in"):
		return r.CreatedAt
	case s.is("ranks by the millisecond"):
		return r.SeenAt.Truncate(time.Millisecond)
	case r.SeenAt.IsZero() && !s.is("what was not seen yet is the oldest"):
		return time.Unix(1<<40, 0)
	}
	return r.SeenAt
}

// stored returns r as it is kept.
func (s *flawed) stored(r store.Record) store.Record {
	if s.is("changes the slices that it is given") {
		spoil(r.Data)
	}
	if s.is("bytes are text") {
		r.Data = bytes.ToValidUTF8(r.Data, []byte("?"))
	}
	if s.is("times of a renewal begin in 1970") && !r.RenewedAt.IsZero() && r.RenewedAt.Before(time.Unix(0, 0)) {
		r.RenewedAt = time.Unix(0, 0)
	}
	if s.is("deadlines in 64 bits of nanoseconds") && !r.Deadline.IsZero() {
		r.Deadline = time.Unix(0, r.Deadline.UnixNano())
	}
	for _, t := range []*time.Time{&r.CreatedAt, &r.SeenAt, &r.ProvedAt, &r.ExpiresAt} {
		switch {
		case s.is("times in seconds"):
			*t = t.Truncate(time.Second)
		case s.is("the zero time is 1970") && t.IsZero():
			*t = time.Unix(0, 0)
		case s.is("times in 64 bits of nanoseconds") && !t.IsZero():
			*t = time.Unix(0, t.UnixNano())
		}
	}
	if !s.is("keeps the slices that it is given") {
		r = clone(r)
	}
	return r
}

// returned returns what the caller gets of k.
func (s *flawed) returned(k *kept) store.Record {
	if s.is("returns its own slices") {
		return k.Record
	}
	r := clone(k.Record)
	if s.is("returns memory that it uses again") {
		s.memory = append(s.memory[:0], r.Client...)
		r.Client = s.memory
	}
	if s.is("returns its own tombstones") {
		r.Revoked = k.Revoked
	}
	if !s.is("Once is returned") {
		r.Once = time.Time{}
	}
	return r
}

func (s *flawed) listed(k *kept) store.Record {
	r := s.returned(k)
	if !s.is("List returns data") {
		r.Data = nil
	}
	if s.is("List leaves the renewal out") {
		r.Prev, r.RenewedAt, r.UsedAt = store.Hash{}, time.Time{}, time.Time{}
	}
	return r
}

// acts returns an error if the acting session is not live.
func (s *flawed) acts(user, by string) error {
	k, err := s.find(user, by)
	switch {
	case by != "" && s.fails("a look-up of the actor that fails finds none"):
	case by == "", err == nil,
		s.is("revoked sessions act") && k != nil,
		s.is("unknown sessions act") && k == nil:
		return nil
	case s.is("another user's sessions act"):
		for _, k := range s.kept {
			if k.ID == by && k.Revoked == nil {
				return nil
			}
		}
	case s.is("expired sessions act") && s.kept[s.key(user, by)] != nil && k == nil:
		return nil
	}
	return store.ErrActorRevoked
}
