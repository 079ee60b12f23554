package storetest

import (
	"context"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

func (s *flawed) Update(ctx context.Context, r store.Record, was store.Hash) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()

	k, err := s.find(r.User, r.ID)
	late := err == nil && s.late(r, k)
	if s.is("Update looks first whether it comes too late") {
		s.gap("Update looks first whether it comes too late")
		k, err = s.find(r.User, r.ID)
	}
	switch {
	case k == nil && s.is("Update creates"):
		s.kept[s.key(r.User, r.ID)] = &kept{Record: s.stored(r)}
		return nil
	case err != nil && k != nil && s.is("Update brings back"):
	case err != nil && k != nil && s.is("Update of a tombstone answers stale"):
		return store.ErrStale
	case err != nil:
		return err
	case s.is("Update ignores was"), s.is("Update compares the new secret") && r.Secret == k.Secret,
		s.is("Update takes the zero hash for any") && was == store.Hash{},
		s.is("the old secret is good for writing") && was == k.Prev:
	case k.Secret != was:
		return store.ErrStale
	case late && s.is("late renewals are dropped without a word"):
		return nil
	case late:
		return store.ErrStale
	}
	s.gap("Update looks first")
	if s.is("Update sets Once") {
		s.once(r)
	}
	next := s.stored(r)
	s.carryRenewal(&next, k.Record)
	if s.gap("Update looks first whether it was used"); s.is("Update looks first whether it was used") && k.Secret != was {
		return store.ErrStale
	}
	old := k.Record
	s.gap("Update looks first at the deadline")
	s.carryDeadline(&next, old)
	switch {
	case s.is("Update keeps a time"):
		next.ProvedAt = k.ProvedAt
	case s.is("Update keeps bytes if it is given none") && len(next.Data) == 0:
		next.Data = k.Data
	case s.is("Update keeps the secret"):
		next.Secret = k.Secret
	case s.is("Update writes field by field"):
		k.Secret = next.Secret
		s.gap("Update writes field by field")
	}
	s.put(k, next, "Update adds what has gone meanwhile")
	if !s.is("Update leaves the order of eviction") {
		k.rank = s.rank(next)
	}
	return nil
}

// late reports whether r renews a session by a token that was renewed before.
func (s *flawed) late(r store.Record, k *kept) bool {
	renewed := k.Prev != store.Hash{} || s.is("what has no Prev is late")
	used := !k.UsedAt.IsZero() || s.is("lost renewals are late")
	old := r.Prev == k.Prev || s.is("every Prev is late once the token was used")
	return renewed && used && old && r.Secret != k.Secret && !s.is("late renewals are written")
}

// put writes a session, with a flaw also if it has gone meanwhile.
func (s *flawed) put(k *kept, next store.Record, flaw string) {
	s.gap(flaw)
	k.Record = next
	if s.is(flaw) {
		s.kept[s.key(k.User, k.ID)] = k
	}
}

// carryRenewal gives an update what it keeps of a renewal.
func (s *flawed) carryRenewal(next *store.Record, was store.Record) {
	given := *next
	if next.Secret != was.Secret {
		switch {
		case s.is("Update with another secret keeps Prev"):
			next.Prev = was.Prev
		case s.is("Update with another secret clears UsedAt"):
			next.UsedAt = time.Time{}
		case s.is("Update keeps the renewal if it is given none") && given.Prev == store.Hash{}:
			next.Prev, next.RenewedAt, next.UsedAt = was.Prev, was.RenewedAt, was.UsedAt
		}
		return
	}
	next.Prev, next.RenewedAt, next.UsedAt = was.Prev, was.RenewedAt, was.UsedAt
	unused := was.UsedAt.IsZero() && !s.is("Update uses nothing") || s.is("Update moves UsedAt") && !given.UsedAt.IsZero()
	if unused && (was.Prev != store.Hash{} || s.is("Update uses what was never renewed")) {
		next.UsedAt = given.UsedAt
	}
	switch {
	case s.is("Update puts Prev back") && given.Prev != store.Hash{}, s.is("Update adds a renewal") && was.Prev == store.Hash{}:
		next.Prev, next.RenewedAt = given.Prev, given.RenewedAt
	case s.is("Update clears the renewal"):
		next.Prev, next.RenewedAt, next.UsedAt = store.Hash{}, time.Time{}, time.Time{}
	case s.is("Update clears UsedAt"):
		next.UsedAt = given.UsedAt
	}
}

// carryDeadline gives an update the deadline that it keeps, and bounds its expiry.
func (s *flawed) carryDeadline(next *store.Record, was store.Record) {
	given := next.Deadline
	keeps := given.IsZero() && !s.is("Update without a deadline clears it") && !(s.is("a zero time of another place is none") && given != time.Time{}) ||
		s.is("Update keeps the deadline") && !was.Deadline.IsZero() ||
		s.is("deadlines are not put off") && !was.Deadline.IsZero() && given.After(was.Deadline) ||
		s.is("deadlines are not brought forward") && given.Before(was.Deadline)
	if keeps && !(s.is("Update with another secret clears it") && next.Secret != was.Secret) {
		next.Deadline = was.Deadline
	}
	switch {
	case s.is("Update without a deadline is not bounded") && given.IsZero():
	case s.is("the new deadline bounds nothing") && !given.IsZero():
		next.ExpiresAt = bounded(next.ExpiresAt, was.Deadline)
	default:
		next.ExpiresAt = bounded(next.ExpiresAt, next.Deadline)
	}
}

func (s *flawed) Touch(ctx context.Context, user, id string, t store.Touch) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()

	k, err := s.find(user, id)
	switch {
	case k == nil && s.is("Touch creates"):
		s.kept[s.key(user, id)] = &kept{Record: store.Record{User: user, ID: id, SeenAt: t.SeenAt, ExpiresAt: t.ExpiresAt}}
		return nil
	case k != nil && err != nil && s.is("Touch brings back"):
	case k != nil && err != nil && s.is("Touch uses a tombstone") && k.Secret == t.Secret:
		k.Prev = store.Hash{}
		return err
	case k != nil && err != nil && s.is("Touch does not know tombstones"):
		return store.ErrNotFound
	case err != nil:
		return err
	}
	next := k.Record
	s.gap("Touch writes back what it read")
	if !s.is("Touch writes back what it read") {
		next = k.Record
	}
	deadline := next.Deadline
	if s.gap("Touch looks first at the deadline"); s.is("Touch looks first at the deadline") {
		next = k.Record
		next.Deadline = deadline
	}
	beyond := !next.Deadline.IsZero() && t.ExpiresAt.After(next.Deadline)
	if s.is("Touch moves to the deadline") && !next.Deadline.IsZero() {
		t.ExpiresAt = next.Deadline
	}
	if !s.is("Touch ignores the deadline") {
		t.ExpiresAt = bounded(t.ExpiresAt, next.Deadline)
	}
	seen, expires := t.SeenAt.After(next.SeenAt), t.ExpiresAt.After(next.ExpiresAt)
	s.gap("Touch looks first")
	if s.is("Touch moves back") {
		seen, expires = true, true
	}
	if s.is("Touch moves both times or neither") {
		seen, expires = seen && expires, seen && expires
	}
	if s.is("Touch beyond the deadline moves nothing") && beyond {
		expires = false
	}
	s.use(&next, k, t, seen)
	if seen {
		next.SeenAt = t.SeenAt
	}
	if s.is("Touch writes field by field") {
		k.SeenAt = next.SeenAt
		s.gap("Touch writes field by field")
	}
	if expires {
		next.ExpiresAt = t.ExpiresAt
	}
	if t.Client != nil && !(s.is("Touch keeps the client if the new one is empty") && len(t.Client) == 0) || s.is("Touch clears the client") {
		next.Client = s.stored(store.Record{Client: t.Client}).Client
	}
	if s.is("Touch loses the data") {
		next.Data = nil
	}
	s.put(k, next, "Touch adds what has gone meanwhile")
	if !s.is("Touch leaves the order of eviction") {
		k.rank = s.rank(next)
	}
	return nil
}

// use notes a first use.
func (s *flawed) use(next *store.Record, k *kept, t store.Touch, later bool) {
	unused := next.UsedAt.IsZero()
	if s.gap("Touch looks first whether it was used"); s.is("Touch looks first whether it was used") {
		*next = k.Record
	}
	secret := t.Secret == next.Secret || s.is("Touch uses whatever the token") ||
		s.is("Touch with the old token uses") && t.Secret == next.Prev
	switch {
	case s.is("Touch uses nothing"), !secret,
		!unused && !s.is("Touch moves UsedAt"),
		next.Prev == store.Hash{} && !s.is("Touch uses what was never renewed"),
		!later && s.is("Touch uses what is seen later"):
		return
	}
	next.UsedAt = t.SeenAt
}
