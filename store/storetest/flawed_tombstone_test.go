package storetest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// bury turns sessions into tombstones, and returns what they were.
func (s *flawed) bury(sessions []*kept, why store.Revocation) (were []store.Record) {
	if why.At.IsZero() && !s.is("the zero time is not now") {
		why.At = time.Now()
	}
	if !s.is("tombstones keep Until") {
		why.Until = time.Time{}
	}
	if s.is("reasons end at a NUL") {
		why.Reason, _, _ = strings.Cut(why.Reason, "\x00")
	}
	if s.is("Subscribe tells first") && len(sessions) > 0 {
		s.publish(sessions[0].User, why.Reason)
		s.gap("Subscribe tells first")
	}
	for _, k := range sessions {
		s.gap("RevokeAll goes one by one")
		were = append(were, s.listed(k))
		key := s.key(k.User, k.ID)
		if s.is("Revoke forgets") {
			delete(s.kept, key)
			continue
		}
		if s.is("Revoke leaves the tombstone later") {
			delete(s.kept, key)
			s.gap("Revoke leaves the tombstone later")
			s.kept[key] = k
		}
		if s.is("Revoke leaves the tombstone first") {
			s.torn[key] = s.tombstone(k, why)
			s.gap("Revoke leaves the tombstone first")
			delete(s.torn, key)
		}
		k.Record = s.tombstone(k, why)
		s.arrived++
		k.arrived = s.arrived
		k.deadline = k.ExpiresAt
		if s.is("Revoke returns the tombstone") {
			were[len(were)-1] = s.returned(k)
		}
	}
	if len(sessions) > 0 && !s.is("Subscribe tells first") {
		s.publish(sessions[0].User, why.Reason)
	}
	return were
}

func (s *flawed) tombstone(k *kept, why store.Revocation) store.Record {
	stone := store.Record{User: k.User, ID: k.ID, Secret: k.Secret, CreatedAt: k.CreatedAt, Revoked: &why}
	stone.ExpiresAt = why.At.Add(store.TombstoneLifetime)
	ends := k.ExpiresAt
	if s.is("tombstones go by the first expiry") {
		ends = k.first
	}
	if ends.Before(stone.ExpiresAt) && !s.is("tombstones last a day") || s.is("tombstones last as long as sessions") {
		stone.ExpiresAt = ends
	}
	if k.UsedAt.IsZero() && !s.is("tombstones lose Prev") || s.is("tombstones keep Prev") {
		stone.Prev = k.Prev
	}
	switch {
	case s.is("tombstones keep the client"):
		stone.Client = k.Client
	case s.is("tombstones keep the time last seen"):
		stone.SeenAt = k.SeenAt
	case s.is("tombstones keep the renewal"):
		stone.RenewedAt = k.RenewedAt
	case s.is("tombstones lose the sign-in"):
		stone.CreatedAt = time.Time{}
	}
	return stone
}

// forget keeps the number of a user's tombstones down.
func (s *flawed) forget(user, flaw string) {
	if s.is(flaw) {
		return
	}
	var stones []*kept
	for _, k := range s.kept {
		if k.User == user && k.Revoked != nil && (!s.expired(k) || s.is("expired tombstones push out others")) {
			stones = append(stones, k)
		}
	}
	slices.SortFunc(stones, func(a, b *kept) int { return a.Revoked.At.Compare(b.Revoked.At) })
	if s.is("forgets tombstones in the order they came") {
		slices.SortFunc(stones, func(a, b *kept) int { return cmp.Compare(a.arrived, b.arrived) })
	}
	if s.is("forgets the newest tombstones") {
		slices.Reverse(stones)
	}
	for _, k := range stones[:max(0, len(stones)-store.MaxTombstones)] {
		delete(s.kept, s.key(k.User, k.ID))
		if s.is("marks are forgotten with tombstones") {
			delete(s.marks, k.User)
		}
		if s.is("Once is forgotten with tombstones") {
			delete(s.onces, s.key(k.User, k.ID))
		}
	}
	if s.is("marks go with the last session") && len(s.live(user, "")) == 0 {
		maps.DeleteFunc(s.marks, func(u string, _ store.Revocation) bool { return u == user })
	}
}
