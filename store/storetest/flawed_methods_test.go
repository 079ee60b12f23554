package storetest

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

func (s *flawed) Create(ctx context.Context, r store.Record, most store.Limit) ([]store.Record, error) {
	limit := most.Max
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()

	if s.is("has room for 64 KB") && len(r.Data) > 1<<16 {
		return nil, errors.New("too large")
	}
	_, err := s.find(r.User, r.ID)
	s.gap("Create looks first")
	if old := s.kept[s.key(r.User, r.ID)]; old != nil && s.is("expired sessions keep their id") {
		err = nil
	}
	if s.is("Create evicts before it refuses") && limit > 0 {
		s.evict(r, limit)
	}
	switch {
	case err == nil && !s.is("Create overwrites a live session"):
		return nil, store.ErrExists
	case errors.Is(err, store.ErrRevoked) && !s.is("Create overwrites a tombstone"):
		return nil, store.ErrRevoked
	}
	if limit == 0 && s.is("a limit of zero allows none") {
		limit = 1
	}
	var evicted []store.Record
	if limit > 0 {
		evicted = s.evict(r, limit)
	}
	if s.is("Create drops a time") {
		r.ProvedAt = time.Time{}
	}
	stored := s.stored(r)
	k := &kept{Record: stored, rank: s.rank(stored), deadline: stored.ExpiresAt, first: stored.ExpiresAt}
	s.kept[s.key(r.User, r.ID)] = k
	s.users[r.User] = r.ExpiresAt
	if s.is("evicts the new session") && len(evicted) > 0 && r.SeenAt.Before(evicted[0].SeenAt) {
		s.bury([]*kept{k}, store.Revocation{Reason: store.Evicted, By: r.ID})
	}
	return evicted, nil
}

func (s *flawed) evict(r store.Record, limit int) (evicted []store.Record) {
	others := s.live(r.User, r.ID)
	beyond := len(others) + 1 - limit
	switch {
	case s.is("the limit does not count the new session"):
		beyond--
	case s.is("the limit counts the new session twice"):
		beyond++
	case s.is("evicts one at most"):
		beyond = min(beyond, 1)
	}
	for _, k := range s.kept {
		if s.is("the limit counts tombstones") && k.User == r.User && k.Revoked != nil ||
			s.is("the limit counts expired sessions") && k.User == r.User && s.expired(k) {
			beyond++
		}
	}
	s.gap("the limit is counted first")
	why := store.Revocation{Reason: store.Evicted, By: r.ID}
	if s.is("evictions do not say by which session") {
		why.By = ""
	}
	defer s.forget(r.User, "evictions leave any number of tombstones")
	return s.bury(others[:min(max(0, beyond), len(others))], why)
}

func (s *flawed) Find(ctx context.Context, user, id string) (store.Record, error) {
	if err := s.enter(ctx); err != nil {
		return store.Record{}, err
	}
	defer s.mu.Unlock()

	k, err := s.find(user, id)
	switch {
	case k == nil && s.is("Find finds expired sessions") && s.kept[s.key(user, id)] != nil:
		return s.returned(s.kept[s.key(user, id)]), nil
	case k == nil:
		return store.Record{}, err
	case err != nil && s.is("Find hides tombstones"):
		return store.Record{}, store.ErrNotFound
	}
	return s.returned(k), err
}

func (s *flawed) Update(ctx context.Context, r store.Record, was store.Hash) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()

	k, err := s.find(r.User, r.ID)
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
		s.is("Update takes the zero hash for any") && was == store.Hash{}:
	case k.Secret != was:
		return store.ErrStale
	}
	s.gap("Update looks first")
	next := s.stored(r)
	switch {
	case s.is("Update keeps a time"):
		next.ProvedAt = k.ProvedAt
	case s.is("Update keeps bytes where it is given none") && len(next.Data) == 0:
		next.Data = k.Data
	case s.is("Update keeps the secret"):
		next.Secret = k.Secret
	case s.is("Update writes field by field"):
		k.Secret = next.Secret
		s.gap("Update writes field by field")
	}
	k.Record = next
	if !s.is("Update leaves the order of eviction") {
		k.rank = s.rank(next)
	}
	return nil
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
	seen, expires := t.SeenAt.After(next.SeenAt), t.ExpiresAt.After(next.ExpiresAt)
	s.gap("Touch looks first")
	if s.is("Touch moves back") {
		seen, expires = true, true
	}
	if s.is("Touch moves both times or neither") {
		seen, expires = seen && expires, seen && expires
	}
	if seen {
		next.SeenAt = t.SeenAt
	}
	if expires {
		next.ExpiresAt = t.ExpiresAt
	}
	if t.Client != nil && !(s.is("Touch keeps the client where the new one is empty") && len(t.Client) == 0) || s.is("Touch clears the client") {
		next.Client = s.stored(store.Record{Client: t.Client}).Client
	}
	if s.is("Touch loses the data") {
		next.Data = nil
	}
	k.Record = next
	if !s.is("Touch leaves the order of eviction") {
		k.rank = s.rank(next)
	}
	return nil
}

func (s *flawed) List(ctx context.Context, user string) ([]store.Record, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()

	var list []store.Record
	for _, k := range s.live(user, "") {
		list = append(list, s.listed(k))
	}
	for _, k := range s.kept {
		if k.User == user && (s.is("tombstones are listed") && k.Revoked != nil || s.is("expired sessions are listed") && s.expired(k)) {
			list = append(list, s.listed(k))
		}
	}
	if len(list) == 0 && s.is("List of nothing fails") {
		return nil, store.ErrNotFound
	}
	if s.is("List returns a page") {
		list = list[:min(len(list), 100)]
	}
	return list, nil
}

func (s *flawed) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	if err := s.enter(ctx); err != nil {
		return store.Record{}, err
	}
	defer s.mu.Unlock()

	if why.By == id && s.is("a session may not revoke itself") {
		return store.Record{}, store.ErrActorRevoked
	}
	k, err := s.find(user, id)
	if err != nil && s.is("the target is looked up before the actor") {
		return store.Record{}, store.ErrNotFound
	}
	if err := s.acts(user, why.By); err != nil {
		return store.Record{}, err
	}
	switch {
	case err == nil:
	case k == nil && s.is("Revoke of the unknown succeeds"):
		return store.Record{}, nil
	case k != nil && s.is("Revoke of the revoked succeeds"):
	case why.By != "" && s.is("an unknown target is blamed on the actor"):
		return store.Record{}, store.ErrActorRevoked
	default:
		return store.Record{}, store.ErrNotFound
	}
	s.gap("Revoke looks first")
	defer s.forget(user, "any number of tombstones")
	return s.bury([]*kept{k}, why)[0], nil
}

func (s *flawed) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()

	if err := s.acts(user, why.By); err != nil && !s.is("RevokeAll lets anybody act") {
		return nil, err
	}
	s.gap("RevokeAll looks up the actor first")
	if _, err := s.find(user, keep); err != nil && keep != "" && s.is("RevokeAll fails where there is nothing to keep") {
		return nil, err
	}
	switch {
	case s.is("RevokeAll ignores keep"):
		keep = ""
	case keep == "" && s.is("RevokeAll with nothing to keep does nothing"):
		return nil, nil
	}
	targets := s.live(user, keep)
	if s.is("RevokeAll stops at 250") {
		targets = targets[:min(len(targets), 250)]
	}
	if len(targets) == 0 && s.is("RevokeAll of nothing fails") {
		return nil, store.ErrNotFound
	}
	defer s.forget(user, "RevokeAll leaves any number of tombstones")
	return s.bury(targets, why), nil
}

func (s *flawed) RevokeEveryone(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()

	if len(s.kept) == 0 && s.is("RevokeEveryone of nobody fails") {
		return store.ErrNotFound
	}
	n := 0
	for key, k := range s.kept {
		if n++; n == 100 && s.is("RevokeEveryone stops at 100") {
			break
		}
		if s.is("RevokeEveryone leaves tombstones") {
			s.bury([]*kept{k}, store.Revocation{})
		} else {
			delete(s.kept, key)
		}
	}
	return nil
}

func (s *flawed) RevokedEveryone(ctx context.Context) (time.Time, error) { return time.Time{}, nil }

func (s *flawed) All(ctx context.Context) iter.Seq2[store.Record, error] { return nil }
