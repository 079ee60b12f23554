package main

// before is what a request with an old cookie did before there were tags: it created
// the session, looked at the old record again, and left a pointer in its place.
func (m *model) before(s *state, i int) (w write, words string) {
	key, p := m.actors[i].key, &s.Actors[i]
	switch p.PC {
	case start:
		return w, "finds in the visitors' store: " + s.Visitors[key].String()
	case create_:
		return write{Kind: create, ID: key, Key: key}, "Create"
	case look:
		return w, "looks again: " + s.Visitors[key].String()
	case tag_:
		return write{Kind: commit, Key: key, Visitor: visitor{Kind: pointer}}, "visitors' store: a pointer"
	case use:
		return w, "finds the session " + m.seen(s, key)
	case undo:
		return write{Kind: revokeOne, ID: key}, "revokes it again"
	default:
		return write{Kind: remove, Key: key}, "deletes the old record"
	}
}

func (m *model) proceedBefore(s *state, i int, a answer) {
	key, p := m.actors[i].key, &s.Actors[i]
	switch {
	case a == failed, p.PC == undo, p.PC == drop:
		*p = actor{PC: done}
	case p.PC == start:
		v := s.Visitors[key]
		*p = actor{PC: [...]uint8{nothing: done, untagged: create_, pointer: use}[v.Kind], Visitor: v, ID: key, After: s.PlainOut}
	case p.PC == create_:
		p.PC = map[answer]uint8{ok: look, exists: tag_, revoked: drop}[a]
	case p.PC == look:
		p.PC = tag_
		if s.Visitors[key].Kind == nothing {
			p.PC = undo
		}
	case p.PC == tag_:
		p.PC = use
	case p.PC == use:
		if s.Sessions[key].opens(key) {
			m.opened(s, i)
		}
		*p = actor{PC: done}
	}
}
