package storetest

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

func (s *flawed) RevokeEveryone(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()

	if len(s.kept) == 0 && s.is("RevokeEveryone of nobody fails") {
		return store.ErrNotFound
	}
	if !s.is("everyone is known last") && !(s.is("RevokedEveryone is the first time") && !s.everyone.IsZero()) {
		s.everyone = time.Now()
	}
	if s.is("Subscribe tells of everyone first") {
		s.publish("", "")
		s.gap("Subscribe tells of everyone first")
	}
	n, users, each := 0, make(map[string]bool), make(map[string]int)
	for key, k := range s.kept {
		if n++; n == 100 && s.is("RevokeEveryone stops at 100") {
			break
		}
		if each[k.User]++; each[k.User] > 1000 && s.is("RevokeEveryone stops at 1000 of a user") {
			continue
		}
		if len(users) == 1000 && !users[k.User] && s.is("RevokeEveryone stops at 1000 users") {
			continue
		}
		users[k.User] = true
		if s.is("RevokeEveryone leaves tombstones") {
			s.bury([]*kept{k}, store.Revocation{})
		} else {
			delete(s.kept, key)
		}
	}
	clear(s.marks)
	clear(s.onces)
	if s.gap("everyone is known last"); s.is("everyone is known last") {
		s.everyone = time.Now()
	}
	if !s.is("Subscribe tells of everyone first") {
		s.publish("", "")
	}
	return nil
}

func (s *flawed) RevokedEveryone(ctx context.Context) (time.Time, error) {
	if err := s.enter(ctx); err != nil {
		return time.Time{}, err
	}
	defer s.mu.Unlock()

	switch {
	case s.is("RevokedEveryone is now"):
		return time.Now(), nil
	case s.is("RevokedEveryone is 1970 at first") && s.everyone.IsZero():
		return time.Unix(0, 0), nil
	case s.is("RevokedEveryone is forgotten") && len(s.kept) > 0:
		return time.Time{}, nil
	}
	return s.everyone, nil
}

func (s *flawed) All(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for i, page := 0, s.page(); i < len(page); i++ {
			if err := ctx.Err(); err != nil && !s.is("All ignores the context") && !(i > 0 && s.is("All looks at the context once")) {
				if !yield(store.Record{}, err) || !s.is("All goes on after an error") {
					return
				}
			}
			if s.is("All holds the store") {
				s.mu.Lock()
			}
			goes := yield(page[i], nil)
			if s.is("All holds the store") {
				s.mu.Unlock()
			}
			if !goes {
				return
			}
			if i%10 == 9 && s.is("All turns pages by number") {
				page = s.page()
			}
		}
		if err := ctx.Err(); err != nil && !s.is("All ignores the context") && !s.is("All looks at the context once") {
			yield(store.Record{}, err)
		}
	}
}

// page returns what All returns, in an order of its own.
func (s *flawed) page() (page []store.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()

	var all []*kept
	for _, k := range s.kept {
		tombstone := k.Revoked != nil && !s.is("tombstones are in All")
		if !tombstone && (!s.expired(k) || s.is("expired sessions are in All")) {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b *kept) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.User, b.User)) })
	users, each := make(map[string]bool), make(map[string]int)
	for _, k := range all {
		each[k.User]++
		switch {
		case s.is("All has one user") && len(users) > 0 && !users[k.User],
			s.is("All has 300 users") && len(users) == 300 && !users[k.User],
			s.is("All has 1000 users") && len(users) == 1000 && !users[k.User],
			s.is("All has 1000 of a user") && each[k.User] > 1000,
			s.is("All has 300 of a user") && each[k.User] > 300:
			continue
		}
		users[k.User] = true
		r := s.returned(k)
		if s.is("All leaves the data out") {
			r.Data = nil
		}
		page = append(page, r)
	}
	for user := range s.marks {
		if s.is("marks are in All") {
			page = append(page, store.Record{User: user, ID: "mark"})
		}
	}
	return page
}
