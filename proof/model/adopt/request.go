package main

// What an actor is at. It begins at zero.
const (
	start = iota
	look
	askFirst
	create_
	ask
	tag_
	fill_
	takeOver_
	retag
	use
	drop
	undo
	renew
	done = 99
)

// request says which write a request with an old cookie makes next on a new node, if
// any, and in words what it does.
func (m *model) request(s *state, i int) (w write, words string) {
	key, p := m.actors[i].key, &s.Actors[i]
	switch p.PC {
	case start:
		if key == renewed {
			return w, "comes with the new token"
		}
		return w, "finds in the visitors' store: " + s.Visitors[key].String()
	case look:
		return w, "finds the session " + m.seen(s, p.ID)
	case askFirst, ask:
		if s.Everyone {
			return w, "hears that RevokeEveryone was called"
		}
		return w, "hears that RevokeEveryone was never called"
	case create_:
		return write{Kind: create, ID: p.ID, Key: key}, "Create"
	case tag_:
		v := m.tag(p.ID, key)
		if m.needsTag(p.Visitor, v) {
			return write{Kind: commit, Key: key, Visitor: v}, "visitors' store: " + v.String()
		}
		return w, "has nothing to tag"
	case fill_:
		return write{Kind: fill, ID: p.ID, Key: m.presented(p.Visitor, key), Prev: m.carried(p.Visitor, key), Was: p.Was}, "fills the reservation"
	case takeOver_:
		return write{Kind: takeOver, ID: p.ID, Key: key, Prev: m.carried(p.Visitor, key), Was: p.Was}, "its token takes the place of the session's"
	case retag:
		v := m.tag(p.ID, m.presented(p.Visitor, key))
		return write{Kind: commit, Key: key, Visitor: v}, "visitors' store: " + v.String()
	case use:
		return write{Kind: touch, ID: p.ID, Key: m.presented(p.Visitor, key)}, "notes the first use of its token"
	case drop:
		return write{Kind: remove, Key: key}, "deletes the old record"
	case undo:
		return write{Kind: revokeOne, ID: p.ID}, "takes the reservation back"
	case renew:
		return write{Kind: takeOver, ID: p.ID, Key: renewed, Prev: m.presented(p.Visitor, key), Was: p.Was}, "renews the token"
	}
	panic("unreachable")
}

// tag is what adoption leaves in the visitors' store.
func (m *model) tag(id, key uint8) visitor {
	if m.rules.strip {
		return visitor{Kind: pointer}
	}
	return visitor{tagged, id, key}
}

// needsTag reports whether a record must be tagged before the session is filled. If it
// is tagged already then it keeps its tag until then: the secret in it proves that this
// token takes the place of the one that it was tagged under.
func (m *model) needsTag(v, own visitor) bool {
	switch {
	case m.rules.leave:
		return false
	case m.rules.retagsFirst:
		return v != own
	}
	return v.Kind == untagged
}

// carried returns the token whose secret the old record carries, if that is to be
// replaced by the secret of this one.
func (m *model) carried(v visitor, key uint8) uint8 {
	if v.Kind == tagged && v.Key != m.presented(v, key) && !m.rules.tagWithoutSecret {
		return v.Key
	}
	return nobody
}

// presented returns the token whose secret the request comes with.
func (m *model) presented(v visitor, key uint8) uint8 {
	if m.rules.secretStays && v.Kind == tagged {
		return v.Key
	}
	return key
}

// proceed says how the request goes on after that.
func (m *model) proceed(s *state, i int, a answer) {
	key, p := m.actors[i].key, &s.Actors[i]
	finish := func() { *p = actor{PC: done} }
	if a == failed && p.PC != retag {
		finish() // 503
		return
	}
	switch p.PC {
	case start:
		if key == renewed {
			*p = actor{PC: look}
			return
		}
		v := s.Visitors[key]
		*p = actor{PC: look, Visitor: v, ID: key, Copy: v.Kind == tagged, After: s.PlainOut}
		switch {
		case v.Kind == tagged && v.Key != key && m.rules.copiesAreUntagged:
			p.Visitor = visitor{Kind: untagged}
		case v.Kind == tagged:
			p.ID = v.ID
		}
		if v.Kind == nothing {
			finish()
		}
	case look:
		m.look(s, i)
	case askFirst:
		p.PC = create_
		if s.Everyone {
			finish()
		}
	case create_:
		switch a {
		case ok:
			p.PC, p.Was = ask, s.Sessions[p.ID].Secret
			if m.rules.asksOnlyFirst {
				p.PC = tag_
			}
		case exists:
			p.PC = look
		case revoked:
			p.PC = drop
		case marked:
			p.PC = drop
			if !m.rules.refusalDrops {
				finish() // on plain nodes the record may be a sign-in of after the mark
			}
		}
	case ask:
		p.PC = tag_
		if m.rules.tagsFirst {
			p.PC = fill_
		}
		if s.Everyone {
			p.PC = undo
		}
	case tag_:
		p.PC = fill_
		if m.rules.tagsFirst {
			p.PC = create_
		}
		if own := m.tag(p.ID, key); m.needsTag(p.Visitor, own) {
			p.Visitor = own
		}
	case fill_:
		switch a {
		case ok:
			if m.carried(p.Visitor, key) != nobody {
				p.PC = look // it has taken the place of another
				return
			}
			m.opened(s, i)
			if m.actors[i].does == newRenewal {
				p.PC, p.Was = renew, m.presented(p.Visitor, key)
				return
			}
			finish()
		case stale:
			p.PC = look
		default:
			p.PC = drop
		}
	case takeOver_:
		p.PC = look
	case retag:
		if a == failed && p.Pending && !m.rules.retagsAsItCan {
			finish() // 503: a renewal on a plain node would copy the tag of the token before
			return
		}
		p.Visitor = m.tag(p.ID, m.presented(p.Visitor, key))
		m.answer(s, i)
	case use:
		p.First = false
		m.answer(s, i)
	case renew:
		if a == ok && s.Cookie == key {
			s.Cookie = renewed
		}
		finish()
	case undo:
		finish()
		if m.rules.refusalDrops {
			p.PC = drop
		}
	case drop:
		finish()
	}
}
