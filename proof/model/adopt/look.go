package main

// look goes on from what was found in the session store.
func (m *model) look(s *state, i int) {
	key, p := m.actors[i].key, &s.Actors[i]
	r, v := &s.Sessions[p.ID], p.Visitor
	ours, token := v.Kind == tagged, m.presented(v, key)
	switch {
	case key == renewed && !r.opens(key):
		*p = actor{PC: done}
	case r.Kind == reserved:
		p.PC, p.Was = ask, r.Secret
		if m.rules.asksOnlyFirst {
			p.PC = tag_
		}
	case r.opens(token):
		m.opened(s, i)
		p.PC, p.Was, p.Pending = retag, r.Secret, r.pending()
		p.First = r.pending() && r.Secret == token
		if m.tag(p.ID, token) == v && !m.idle || key == renewed || m.rules.leave || m.rules.strip {
			m.answer(s, i)
		}
	case ours && !m.rules.secretStays && m.takesOver(r, v.Key, key):
		p.PC, p.Was = takeOver_, r.Secret
	case r.Kind == live, s.Tombstone[p.ID], ours && !m.rules.taggedCreates, v.Kind == pointer:
		p.PC = drop
	case s.Off:
		*p = actor{PC: done} // on plain nodes it stays what it is
		if m.rules.refusalDrops {
			p.PC = drop
		}
	case m.rules.tagsFirst && p.Visitor != m.tag(p.ID, key):
		p.PC = tag_
	case m.rules.asksOnlyAfter:
		p.PC = create_
	default:
		p.PC = askFirst
	}
}

// takesOver reports whether a record that carries the secret of another token says
// that this one takes the place of the session's.
func (m *model) takesOver(r *session, carried, key uint8) bool {
	if r.Kind != live || carried == key {
		return false
	}
	if m.rules.tagWithoutSecret {
		return true
	}
	return r.Secret == carried || r.Prev == carried && !r.Used && !m.rules.tagIgnoresPrev
}

// answer is where a session that is open is used, and the request answered.
func (m *model) answer(s *state, i int) {
	key, p := m.actors[i].key, &s.Actors[i]
	switch {
	case p.First:
		p.PC = use
	case m.actors[i].does == newRenewal:
		p.PC = renew
	default:
		if key == renewed {
			s.NewCookie = true
		}
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
