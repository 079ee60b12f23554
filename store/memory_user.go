package store

import (
	"iter"
	"maps"
	"slices"
	"time"
)

// A user has few sessions, as a rule, and then a map of them would take up more
// than they do.
type user struct {
	key  string
	few  []*entry          // while there are up to fewest, without order
	many map[string]*entry // from then on, by id
	past *past             // nil if there is none
}

const fewest = 8

// A past is what a user has that is no live session.
type past struct {
	tombstones []*entry          // which are among few or many; oldest revocation first
	mark       *entry            // that RevokeAll has left, with its time as the revocation
	onces      map[string]*entry // by the id that cannot be created again
}

// hasPast returns the user's past, to be added to.
func (u *user) hasPast() *past {
	if u.past == nil {
		u.past = new(past)
	}
	return u.past
}

// find returns the session or the tombstone of that id, live or not, or nil.
func (u *user) find(id string) *entry {
	if u == nil {
		return nil
	}
	if u.many != nil {
		return u.many[id]
	}
	for _, e := range u.few {
		if e.id == id {
			return e
		}
	}
	return nil
}

// all returns the sessions and the tombstones.
func (u *user) all() iter.Seq[*entry] {
	if u.many != nil {
		return maps.Values(u.many)
	}
	return slices.Values(u.few)
}

// others returns the live sessions but the one named id.
func (u *user) others(id string, now time.Time) []*entry {
	if u == nil {
		return nil
	}
	others := make([]*entry, 0, u.sessions())
	for e := range u.all() {
		if e.id != id && e.revoked() == nil && !e.expired(now) {
			others = append(others, e)
		}
	}
	return others
}

// sessions returns how many there are, those that have expired since included.
func (u *user) sessions() int { return len(u.few) + len(u.many) - len(u.tombstones()) }

func (u *user) tombstones() []*entry {
	if u.past == nil {
		return nil
	}
	return u.past.tombstones
}

func (u *user) empty() bool { return len(u.few)+len(u.many) == 0 && u.past == nil }

func (u *user) add(e *entry) {
	e.user = u
	if u.many == nil && len(u.few) < fewest {
		u.few = append(u.few, e)
		return
	}
	if u.many == nil {
		u.many = make(map[string]*entry)
		for _, e := range u.few {
			u.many[e.id] = e
		}
		u.few = nil
	}
	u.many[e.id] = e
}

// remove takes out an entry of any kind.
func (u *user) remove(e *entry) {
	is := func(other *entry) bool { return other == e }
	p := u.past
	switch {
	case p != nil && p.mark == e:
		p.mark = nil
	case p != nil && p.onces[e.id] == e:
		delete(p.onces, e.id)
	default:
		delete(u.many, e.id)
		u.few = slices.DeleteFunc(u.few, is)
		if p != nil && e.revoked() != nil {
			p.tombstones = slices.DeleteFunc(p.tombstones, is)
		}
	}
	if p != nil && p.mark == nil && len(p.onces)+len(p.tombstones) == 0 {
		u.past = nil
	}
}

// bury counts sessions of one moment, which have become tombstones, among them. It
// returns the oldest ones beyond the limit, which it does not count any more.
func (u *user) bury(sessions []*entry) (beyond []*entry) {
	p := u.hasPast()
	at := sessions[0].revoked().At
	i, _ := slices.BinarySearchFunc(p.tombstones, at, func(t *entry, at time.Time) int {
		if t.revoked().At.After(at) {
			return 1
		}
		return -1
	})
	all := slices.Insert(p.tombstones, i, sessions...)
	n := max(0, len(all)-MaxTombstones)
	beyond = slices.Clone(all[:n])
	p.tombstones = slices.Delete(all, 0, n)
	return beyond
}
