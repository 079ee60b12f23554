package main

// A write is a call that changes a store.
type write struct {
	Kind    uint8
	ID      uint8 // of the session
	Key     uint8 // of the visitors' record; or the new secret
	Prev    uint8
	Was     uint8
	Visitor visitor
}

const (
	noWrite = iota
	commit  // to the visitors' store
	remove  // from the visitors' store
	create
	fill      // Update of a reservation
	newSecret // Update to another secret
	touch
	revokeOne
	revokeAll
	revokeOthers // all but session 0
	markEveryone
	wipe
)

type answer uint8

const (
	ok answer = iota
	exists
	revoked // by a tombstone, or because it was created once
	marked
	missing
	stale
	failed
)

var answers = [...]string{"", "-> exists", "-> revoked", "-> marked", "-> not there", "-> stale", "-> fails"}

// apply carries a write out in one step.
func (m *model) apply(s *state, w write) answer {
	r := &s.Sessions[w.ID]
	switch w.Kind {
	case commit:
		s.Visitors[w.Key] = w.Visitor
	case remove:
		s.Visitors[w.Key] = visitor{}
	case create:
		switch {
		case r.Kind != none:
			return exists
		case s.Tombstone[w.ID] || s.Once[w.ID] && !m.rules.createsAgain:
			return revoked
		case s.Mark && !m.rules.noMark:
			return marked
		}
		m.evict(s)
		*r = session{Kind: reserved, Secret: nonces, Prev: nobody}
		if !m.rules.reservationsAlike {
			r.Secret += s.Nonces
			s.Nonces++
		}
		if m.rules.bornLive {
			*r = session{Kind: live, Secret: w.Key, Prev: nobody}
		}
		s.Once[w.ID] = true
	case fill, newSecret:
		switch {
		case r.Kind == none:
			return missing
		case r.Secret != w.Was:
			return stale
		case w.Kind == fill && r.Kind == live:
			s.Wrong = overwritten
		}
		*r = session{Kind: live, Secret: w.Key, Prev: w.Prev, Seen: m.use(s)}
	case touch:
		if r.Kind == none {
			return missing
		}
		r.Used = r.Used || r.Secret == w.Key && r.Prev != nobody
	case revokeOne:
		if r.Kind == none {
			return missing
		}
		s.end(w.ID)
	case revokeAll, revokeOthers:
		for id := range s.Sessions {
			if s.Sessions[id].Kind != none && (id != 0 || w.Kind == revokeAll) {
				s.end(uint8(id))
			}
		}
		s.Mark = true
	case markEveryone:
		s.Everyone = true
	case wipe:
		s.forgetAll()
	}
	return ok
}

// end ends a session, and leaves a tombstone.
func (s *state) end(id uint8) {
	s.Sessions[id], s.Tombstone[id] = session{}, true
}

// forgetAll removes every session and every tombstone, mark and once.
func (s *state) forgetAll() {
	clear(s.Sessions[:])
	clear(s.Tombstone[:])
	clear(s.Once[:])
	s.Mark = false
}

// use returns the rank of a use that is made now.
func (m *model) use(s *state) uint8 {
	if m.limit == 0 {
		return 0
	}
	s.Uses++
	return s.Uses
}

// evict makes room for one session more: the one that was used the longest ago goes,
// and a record not yet seen counts as the newest.
func (m *model) evict(s *state) {
	if m.limit == 0 {
		return
	}
	count, last, rank := 0, uint8(0), uint8(0)
	for id, r := range s.Sessions {
		if r.Kind == none {
			continue
		}
		count++
		age := r.Seen
		if r.Kind == reserved && !m.rules.unseenIsOldest {
			age = 200
		}
		if count == 1 || age < rank {
			last, rank = uint8(id), age
		}
	}
	if count < m.limit {
		return
	}
	if s.Sessions[last].Kind == reserved && count > 1 {
		s.Wrong = evictedUnseen
	}
	s.end(last)
}
