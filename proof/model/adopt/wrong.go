package main

// wrong says which invariants do not hold in a state.
func (m *model) wrong(s state, violates func(string)) {
	if s.Wrong != 0 {
		violates(s.Wrong.String())
	}
	if s.SignedIn && s.Visitors[1].Kind == nothing {
		violates(isSignInLost)
	}
	if m.browsers {
		m.wrongUnderLimit(s, violates)
		return
	}
	if !s.Excused && !m.renewing(&s) {
		m.wrongForOwner(s, violates)
	}
}

// renewing reports whether the browser is about to hear of another token.
func (m *model) renewing(s *state) bool {
	for i, role := range m.actors {
		if role.does == plainRenewal && s.Actors[i].PC == renew {
			return true
		}
	}
	return false
}

// wrongForOwner asks whether a request of the owner's, alone and without faults, opens
// the session on a new node, and whether a plain node knows it.
func (m *model) wrongForOwner(s state, violates func(string)) {
	if s.Cookie != renewed {
		if k := s.Visitors[s.Cookie].Kind; k != untagged && k != tagged {
			violates(isPlainOut)
		}
	}
	if s.Off && !s.Opened {
		return
	}
	alone := *m
	alone.actors = []role{{newRequest, s.Cookie}}
	s.Actors, s.Ended, s.PlainOut, s.Revoked = [maxActors]actor{}, true, false, false
	for s.Actors[0].PC != done {
		s.Wrong = 0
		w, _, _ := alone.intent(&s, 0)
		alone.goOn(&s, 0, alone.apply(&s, w))
		if s.Wrong == backAll || s.Wrong > backLost && s.Wrong <= backExposed {
			return // it has opened
		}
	}
	violates(isSignedOut)
}

// wrongUnderLimit asks whether the limit has ended what it should, once all have been
// answered: the third session was used before both that are being adopted.
func (m *model) wrongUnderLimit(s state, violates func(string)) {
	for i := range m.actors {
		if s.Actors[i].PC != done {
			return
		}
	}
	if s.Sessions[2].Kind == live && !(s.Sessions[0].Kind == live && s.Sessions[1].Kind == live) && s.Faults == m.faults {
		violates(isEvictedUnseen)
	}
}
