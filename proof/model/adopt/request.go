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
	heal
	use
	prolong
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
	case tag_, heal, prolong:
		if m.rules.leave {
			return w, "writes no tag"
		}
		v := m.tag(p.Visitor, key)
		return write{Kind: commit, Key: key, Visitor: v}, "visitors' store: " + v.String()
	case fill_:
		return write{Kind: fill, ID: p.ID, Key: m.presented(p.Visitor, key), Prev: nobody, Was: p.Was}, "fills the reservation"
	case use:
		return write{Kind: touch, ID: p.ID, Key: m.presented(p.Visitor, key)}, "Touch"
	case drop:
		return write{Kind: remove, Key: key}, "deletes the old record"
	case undo:
		return write{Kind: revokeOne, ID: p.ID}, "takes the reservation back"
	case renew:
		return write{Kind: newSecret, ID: p.ID, Key: renewed, Prev: m.presented(p.Visitor, key), Was: p.Was}, "renews the token"
	}
	panic("unreachable")
}

// tag is what adoption leaves in the visitors' store. A tag that is there stays.
func (m *model) tag(v visitor, key uint8) visitor {
	switch {
	case m.rules.strip:
		return visitor{Kind: pointer}
	case v.Kind == tagged:
		return v
	}
	return visitor{tagged, key, key}
}

// presented returns the token whose secret the request comes with: the one that its
// record was tagged under.
func (m *model) presented(v visitor, key uint8) uint8 {
	if v.Kind == tagged && !m.rules.copiesOwnSecret {
		return v.Key
	}
	return key
}

// proceed says how the request goes on after that. After most failures it is
// answered with 503.
func (m *model) proceed(s *state, i int, a answer) {
	key, p := m.actors[i].key, &s.Actors[i]
	finish := func() { *p = actor{PC: done} }
	if a == failed && p.PC != heal {
		finish()
		return
	}
	switch p.PC {
	case start:
		m.arrive(s, i)
	case look:
		m.look(s, i)
	case askFirst:
		p.PC = create_
		if s.Everyone {
			finish()
		}
	case create_:
		switch a {
		case ok, exists:
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
		p.Visitor = m.tag(p.Visitor, key)
	case fill_:
		p.PC = look
	case heal:
		p.Visitor = m.tag(p.Visitor, key)
		m.serve(s, i)
	case use:
		s.NewCookie = s.NewCookie || key == renewed && a == ok
		if m.idle && key != renewed && a == ok {
			p.PC = prolong
			return
		}
		finish()
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
	case drop, prolong:
		finish()
	}
}
