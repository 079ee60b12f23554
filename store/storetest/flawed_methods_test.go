package storetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

func (s *flawed) Create(ctx context.Context, r store.Record, most store.Limit) ([]store.Record, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()

	limit := most.Max
	if s.is("has room for 64 KB") && len(r.Data) > 1<<16 {
		return nil, errors.New("too large")
	}
	if s.is("a refused Create sets Once") {
		defer s.once(r)
	}
	err := s.mayCreate(r)
	marked := errors.As(err, new(*store.MarkedError))
	if limit > 0 && err != nil && (s.is("Create evicts before it refuses") && !marked || s.is("Create evicts before it asks for the mark") && marked) {
		s.evict(r, limit)
	}
	if err != nil {
		return nil, err
	}
	if limit == 0 && s.is("a limit of zero allows none") {
		limit = 1
	}
	if limit < 0 && s.is("a negative limit allows none") {
		limit = 1
	}
	var evicted []store.Record
	if limit > 0 && !s.is("Create evicts later") {
		evicted = s.evict(r, limit)
		s.gap("Create evicts first")
	}
	if s.is("Create drops a time") {
		r.ProvedAt = time.Time{}
	}
	if s.is("Create drops the renewal") {
		r.Prev, r.RenewedAt, r.UsedAt = store.Hash{}, time.Time{}, time.Time{}
	}
	if r.Prev == (store.Hash{}) && s.is("Create keeps RenewedAt with Prev only") {
		r.RenewedAt = time.Time{}
	}
	if !s.is("Create ignores the deadline") {
		r.ExpiresAt = bounded(r.ExpiresAt, r.Deadline)
	}
	s.once(r)
	stored := s.stored(r)
	if s.is("the first expiry is the deadline") && r.Deadline.IsZero() {
		stored.Deadline = r.ExpiresAt
	}
	if s.is("what expires before it is created lives") && stored.ExpiresAt.Before(time.Now()) {
		stored.ExpiresAt = time.Now().Add(time.Hour)
	}
	if old := s.kept[s.key(r.User, r.ID)]; old != nil && len(r.Data) == 0 && s.is("Create keeps the bytes of what was there") {
		stored.Data = old.Data
	}
	k := &kept{Record: stored, rank: s.rank(stored), deadline: stored.ExpiresAt, first: stored.ExpiresAt}
	s.kept[s.key(r.User, r.ID)] = k
	s.users[r.User] = r.ExpiresAt
	if s.gap("Create evicts later"); limit > 0 && s.is("Create evicts later") {
		evicted = s.evict(r, limit)
	}
	if s.is("evicts the new session") && len(evicted) > 0 && r.SeenAt.Before(evicted[0].SeenAt) {
		s.bury([]*kept{k}, store.Revocation{Reason: store.Evicted, By: r.ID})
	}
	return evicted, nil
}

// bounded returns the earlier of an expiry and a deadline, if there is one.
func bounded(expires, deadline time.Time) time.Time {
	if !deadline.IsZero() && deadline.Before(expires) {
		return deadline
	}
	return expires
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
	if _, ok := s.marks[r.User]; ok && s.is("marks count towards the limit") {
		beyond++
	}
	s.gap("the limit is counted first")
	why := store.Revocation{Reason: store.Evicted, By: r.ID}
	if s.is("evictions do not say by which session") {
		why.By = ""
	}
	defer s.forget(r.User, "evictions leave any number of tombstones")
	others = others[:min(max(0, beyond), len(others))]
	for _, k := range others {
		if s.is("evictions leave a mark") {
			s.mark(r.User, why)
		}
		if s.is("Once is forgotten when the session is evicted") {
			delete(s.onces, s.key(k.User, k.ID))
		}
	}
	return s.bury(others, why)
}

func (s *flawed) Find(ctx context.Context, user, id string) (store.Record, error) {
	if err := s.enter(ctx); err != nil {
		return store.Record{}, err
	}
	defer s.mu.Unlock()

	if stone, ok := s.torn[s.key(user, id)]; ok {
		return stone, store.ErrRevoked
	}
	k, err := s.find(user, id)
	if s.is("Find answers from a cache") {
		if known, ok := s.found[s.key(user, id)]; ok {
			return known, nil
		}
		if err == nil {
			s.found[s.key(user, id)] = s.returned(k)
		}
	}
	if err == nil && s.is("Find reads the data later") {
		r := s.returned(k)
		s.gap("Find reads the data later")
		r.Data = clone(k.Record).Data
		return r, nil
	}
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

func (s *flawed) List(ctx context.Context, user string) ([]store.Record, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()

	var list []store.Record
	for _, k := range s.live(user, "") {
		if s.gap("List reads one by one"); s.is("List reads one by one") && k.Revoked != nil {
			continue
		}
		list = append(list, s.listed(k))
	}
	for _, k := range s.kept {
		if k.User == user && (s.is("tombstones are listed") && k.Revoked != nil || s.is("expired sessions are listed") && s.expired(k)) {
			list = append(list, s.listed(k))
		}
	}
	if _, ok := s.marks[user]; ok && s.is("marks are listed") {
		list = append(list, store.Record{User: user, ID: "mark"})
	}
	if len(list) == 0 && s.is("List of nothing fails") {
		return nil, store.ErrNotFound
	}
	if s.is("List returns a page") {
		list = list[:min(len(list), 100)]
	}
	if s.is("List has 1000") {
		list = list[:min(len(list), 1000)]
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
	if s.fails("a look-up of the target that fails finds none") {
		err = store.ErrNotFound
	}
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
	if s.is("Revoke leaves a mark") {
		s.mark(user, why)
	}
	defer s.forget(user, "any number of tombstones")
	were := s.bury([]*kept{k}, why)
	if s.fails("records come with a failure") {
		err = s.ctx.Err()
	}
	return were[0], err
}

func (s *flawed) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()

	if s.is("RevokeAll leaves a mark before it refuses") {
		s.mark(user, why)
	}
	if err := s.acts(user, why.By); err != nil && !s.is("RevokeAll lets anybody act") {
		return nil, err
	}
	s.gap("RevokeAll looks up the actor first")
	if _, err := s.find(user, keep); err != nil && keep != "" && s.is("RevokeAll fails if there is nothing to keep") {
		return nil, err
	}
	switch {
	case s.is("RevokeAll ignores keep"):
		keep = ""
	case keep == "" && s.is("RevokeAll with nothing to keep does nothing"):
		return nil, nil
	case s.is("RevokeAll counts as everyone"):
		s.everyone = time.Now()
	}
	targets := s.live(user, keep)
	if s.is("RevokeAll stops at 250") {
		targets = targets[:min(len(targets), 250)]
	}
	if s.is("RevokeAll stops at 1000") {
		targets = targets[:min(len(targets), 1000)]
	}
	if old := why.At; s.is("revocations of long ago end nothing") && !old.IsZero() && time.Since(old) > store.TombstoneLifetime {
		targets = nil
	}
	for _, k := range s.kept {
		if k.User == user && s.expired(k) && k.Revoked == nil && s.is("expired sessions are revoked") {
			targets = append(targets, k)
		}
	}
	if s.is("RevokeAll passes over what expires within a second") {
		targets = slices.DeleteFunc(targets, func(k *kept) bool { return time.Until(k.ExpiresAt) < time.Second })
	}
	if len(targets) == 0 && s.is("RevokeAll of nothing fails") {
		return nil, store.ErrNotFound
	}
	if !s.is("RevokeAll leaves its mark last") && !(len(targets) == 0 && s.is("RevokeAll of nothing leaves no mark")) {
		s.mark(user, why)
	}
	s.gap("RevokeAll leaves its mark first")
	defer s.forget(user, "RevokeAll leaves any number of tombstones")
	were := s.bury(targets, why)
	if s.gap("RevokeAll leaves its mark last"); s.is("RevokeAll leaves its mark last") {
		s.mark(user, why)
	}
	return were, nil
}
