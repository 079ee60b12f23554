package main

// plain says which write a request on a node of plain scs makes next.
func (m *model) plain(s *state, i int) (w write, words string) {
	role, p := m.actors[i], &s.Actors[i]
	switch {
	case role.does == plainSignIn:
		return write{Kind: commit, Key: role.key, Visitor: visitor{Kind: untagged}}, "signs in"
	case p.PC == start:
		return w, "loads: " + s.Visitors[role.key].String()
	case role.does == plainWrite:
		return write{Kind: commit, Key: role.key, Visitor: p.Visitor}, "commits: " + p.Visitor.String()
	case role.does == plainOut:
		return write{Kind: remove, Key: role.key}, "signs out"
	case p.PC == look:
		return write{Kind: remove, Key: role.key}, "renews: deletes the old record"
	default:
		return write{Kind: commit, Key: role.key + 1, Visitor: p.Visitor}, "renews: commits under a new token: " + p.Visitor.String()
	}
}

// proceedPlain says how it goes on after that.
func (m *model) proceedPlain(s *state, i int, a answer) {
	role, p := m.actors[i], &s.Actors[i]
	s.Excused = s.Excused || role.does == plainOut || a == failed && role.does == plainRenewal
	switch {
	case a == failed && role.does == plainOut:
		*p = actor{} // the user tries again
	case a == failed:
		*p = actor{PC: done}
	case p.PC == start && role.does == plainSignIn:
		s.SignedIn = s.Ended
		*p = actor{PC: done}
	case p.PC == start:
		p.PC, p.Visitor = look, s.Visitors[role.key]
		if k := p.Visitor.Kind; k == nothing || k == pointer && role.does == plainRenewal {
			*p = actor{PC: done}
		}
	case p.PC == look && role.does == plainRenewal:
		p.PC = renew
	default:
		s.PlainOut = s.PlainOut || role.does == plainOut
		if role.does == plainRenewal && s.Cookie == role.key {
			s.Cookie++
		}
		*p = actor{PC: done}
	}
}
