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
	var evicted []store.Record
	if limit > 0 {
		evicted = s.evict(r, limit)
	}
	if s.is("Create drops a time") {
		r.ProvedAt = time.Time{}
	}
	if s.is("Create drops the renewal") {
		r.Prev, r.RenewedAt, r.UsedAt = store.Hash{}, time.Time{}, time.Time{}
	}
	if !s.is("Create ignores the deadline") {
		r.ExpiresAt = bounded(r.ExpiresAt, r.Deadline)
	}
	s.once(r)
	stored := s.stored(r)
	if s.is("the first expiry is the deadline") && r.Deadline.IsZero() {
		stored.Deadline = r.ExpiresAt
	}
	k := &kept{Record: stored, rank: s.rank(stored), deadline: stored.ExpiresAt, first: stored.ExpiresAt}
	s.kept[s.key(r.User, r.ID)] = k
	s.users[r.User] = r.ExpiresAt
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
		s.is("Update takes the zero hash for any") && was == store.Hash{},
		s.is("the old secret is good for writing") && was == k.Prev:
	case k.Secret != was:
		return store.ErrStale
	}
	s.gap("Update looks first")
	if s.is("Update sets Once") {
		s.once(r)
	}
	next := s.stored(r)
	s.carryRenewal(&next, k.Record)
	s.carryDeadline(&next, k.Record)
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
	s.put(k, next, "Update adds what has gone meanwhile")
	if !s.is("Update leaves the order of eviction") {
		k.rank = s.rank(next)
	}
	return nil
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
		case s.is("Update keeps the renewal where it is given none") && given.Prev == store.Hash{}:
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
	keeps := given.IsZero() && !s.is("Update without a deadline clears it") ||
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
	if expires {
		next.ExpiresAt = t.ExpiresAt
	}
	if t.Client != nil && !(s.is("Touch keeps the client where the new one is empty") && len(t.Client) == 0) || s.is("Touch clears the client") {
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
	if _, ok := s.marks[user]; ok && s.is("marks are listed") {
		list = append(list, store.Record{User: user, ID: "mark"})
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
	if s.is("Revoke leaves a mark") {
		s.mark(user, why)
	}
	defer s.forget(user, "any number of tombstones")
	return s.bury([]*kept{k}, why)[0], nil
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
	if _, err := s.find(user, keep); err != nil && keep != "" && s.is("RevokeAll fails where there is nothing to keep") {
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
	if s.is("RevokeAll passes over what expires within a second") {
		targets = slices.DeleteFunc(targets, func(k *kept) bool { return time.Until(k.ExpiresAt) < time.Second })
	}
	if len(targets) == 0 && s.is("RevokeAll of nothing fails") {
		return nil, store.ErrNotFound
	}
	if !s.is("RevokeAll leaves its mark last") && !(len(targets) == 0 && s.is("RevokeAll of nothing leaves no mark")) {
		s.mark(user, why)
	}
	defer s.forget(user, "RevokeAll leaves any number of tombstones")
	were := s.bury(targets, why)
	if s.gap("RevokeAll leaves its mark last"); s.is("RevokeAll leaves its mark last") {
		s.mark(user, why)
	}
	return were, nil
}
