package main

// revoker says which write a call that ends sessions makes next. It is not made if
// there is nothing to end.
func (m *model) revoker(s *state, i int) (w write, words string, possible bool) {
	p, r := &s.Actors[i], &s.Sessions[0]
	switch m.actors[i].does {
	case revokeCall:
		// What is reserved is in no list.
		return write{Kind: revokeOne}, "ends session 0", r.Kind == live
	case logout:
		if p.PC == start {
			return write{Kind: revokeOne}, "ends session 0", r.Kind == live
		}
		return write{Kind: remove}, "deletes the old record", true
	case revokeAllCall:
		return write{Kind: revokeAll}, "in one step", true
	case revokeOthersCall:
		return write{Kind: revokeOthers}, "in one step", r.Kind == live
	}
	w = m.everyone()[p.PC]
	return w, map[uint8]string{markEveryone: "leaves its mark", remove: "deletes a signed-in record", wipe: "wipes the session store"}[w.Kind], true
}

// everyone returns what RevokeEveryone does, in order.
func (m *model) everyone() []write {
	mark, all := write{Kind: markEveryone}, write{Kind: wipe}
	var records []write
	if m.iterable {
		records = []write{{Kind: remove, Key: 0}, {Kind: remove, Key: 1}}
	}
	switch {
	case m.rules.asBefore:
		return append(records, all)
	case m.rules.markLast:
		return append([]write{all}, append(records, mark)...)
	}
	return append([]write{mark, all}, records...)
}

// proceedRevoker says how it goes on. After a failure it is called again.
func (m *model) proceedRevoker(s *state, i int, a answer) {
	role, p := m.actors[i], &s.Actors[i]
	s.Excused = s.Excused || role.does != revokeOthersCall
	switch {
	case role.does == logout && p.PC == start && a != failed:
		p.PC = look
	case role.does == logout && p.PC == look: // the old record does not matter
		s.Revoked = true
		*p = actor{PC: done}
	case a == failed:
		p.PC = start
	case role.does == everyoneCall && int(p.PC)+1 < len(m.everyone()):
		p.PC++
	default:
		switch {
		case role.does == revokeCall:
			s.Revoked = s.Revoked || a == ok
		case role.does != revokeOthersCall:
			s.Ended = true
		}
		*p = actor{PC: done}
		if role.does == revokeCall && a != ok {
			*p = actor{}
		}
	}
}
