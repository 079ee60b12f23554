package main

// arrive is where the request reads the old record.
func (m *model) arrive(s *state, i int) {
	key, p := m.actors[i].key, &s.Actors[i]
	if key == renewed {
		*p = actor{PC: look}
		return
	}
	v := s.Visitors[key]
	*p = actor{PC: look, Visitor: v, ID: key, Copy: v.Kind == tagged, After: s.PlainOut}
	switch {
	case v.Kind == nothing:
		*p = actor{PC: done}
	case v.Kind == tagged && v.Key != key && m.rules.copiesAreUntagged:
		p.Visitor = visitor{Kind: untagged}
	case v.Kind == tagged:
		p.ID = v.ID
	}
}

// look goes on from what was found in the session store.
func (m *model) look(s *state, i int) {
	key, p := m.actors[i].key, &s.Actors[i]
	r, v := &s.Sessions[p.ID], p.Visitor
	creates := v.Kind == untagged || v.Kind == tagged && m.rules.taggedCreates
	switch {
	case r.Kind == reserved:
		p.PC, p.Was = ask, r.Secret
		if m.rules.asksOnlyFirst {
			p.PC = tag_
		}
	case r.opens(m.presented(v, key)), r.Kind == live && v.Kind == tagged && m.rules.tagWithoutSecret:
		m.opened(s, i)
		p.Was = r.Secret
		if v.Kind == untagged && key != renewed {
			p.PC = heal
			return
		}
		m.serve(s, i)
	case key == renewed:
		*p = actor{PC: done}
	case r.Kind == live, s.Tombstone[p.ID], !creates:
		p.PC = drop
	case s.Off:
		*p = actor{PC: done} // on plain nodes it stays what it is
		if m.rules.refusalDrops {
			p.PC = drop
		}
	case m.rules.tagsFirst && v.Kind == untagged:
		p.PC = tag_
	case m.rules.asksOnlyAfter:
		p.PC = create_
	default:
		p.PC = askFirst
	}
}

// serve is where a request has its session, and does what it came for. The first use
// of a new token is written.
func (m *model) serve(s *state, i int) {
	key, p := m.actors[i].key, &s.Actors[i]
	switch {
	case m.actors[i].does == newRenewal:
		p.PC = renew
	case m.idle, key == renewed && !s.Sessions[p.ID].Used:
		p.PC = use
	default:
		s.NewCookie = s.NewCookie || key == renewed
		*p = actor{PC: done}
	}
}

// opened notes that the session store has said yes, and whether it may.
func (m *model) opened(s *state, i int) {
	key, p := m.actors[i].key, &s.Actors[i]
	if p.ID == 0 {
		s.Opened = true
	}
	var w wrong
	switch {
	case s.Ended:
		w = backAll
	case s.Revoked && p.ID == 0:
		w = backOne
	case s.Revoked && p.Copy:
		w = backTagged
	case s.Revoked:
		w = backUntagged
	case s.PlainOut && key == 0 && p.After:
		w = backPlain
	case s.NewCookie && p.ID == 0 && key != renewed:
		w = reopened
	default:
		return
	}
	if s.Lost != 0 {
		w += backLost
		if s.Lost == exposed || s.Tainted || p.Across {
			w = backExposed
		}
	}
	s.Wrong = w
}
