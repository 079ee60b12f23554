package main

// find opens the session, or becomes a visitor's request.
func (m *model) find(s *state, i int) {
	q, does := &s.Q[i], m.does[i]
	switch {
	case q.Token < visitor && s.Own>>q.Token&1 == 1:
		*q = request{PC: done, Token: nobody, Cookie: nobody}
		return
	case s.R.opens(q.Token):
		if s.Refused>>q.Token&1 == 1 {
			s.Wrong = again
		}
		if s.R.Proved && q.Token != s.R.Secret {
			s.Wrong = elevated
		}
		q.PC, q.Loaded = save, s.R
		return
	}
	retired, revoked := s.R.retired(q.Token), !s.R.Live && (q.Token == s.R.Secret || q.Token == s.R.Prev)
	if s.R.Live && q.Token < visitor {
		s.Refused |= 1 << q.Token
	}
	if !s.R.Live && q.Token < visitor && !revoked && does < thiefReads && !s.SignOuts && m.onlyOwner() {
		s.Wrong = untold
	}
	q.PC = answer
	switch {
	case does == logsOut:
		if retired && !m.rules.retiredLogsOut {
			s.revoke(m)
		}
		s.Ended, q.Cookie = true, nothing
	case does == proves: // a sign-in
		s.Issued++
		s.Own |= 1 << s.Issued
		q.Cookie = s.Issued
	case does != writes && does != renews:
	case revoked, retired && s.JustUse:
	case q.Token != visitor:
		q.Cookie = visitor
	}
}

func (m *model) onlyOwner() bool {
	for _, does := range m.does {
		if does >= thiefReads {
			return false
		}
	}
	return true
}

// save is the last step of a request that has opened the session.
func (m *model) save(s *state, i int) (how string) {
	q, does, r := &s.Q[i], m.does[i], &s.R
	q.PC = answer
	was := q.Loaded.Secret
	if m.rules.byPresented {
		was = q.Token
	}
	before := q.Token != q.Loaded.Secret
	switch {
	case does == logsOut:
		if s.R.Live {
			s.revoke(m)
		}
		s.Ended, q.Cookie = true, nothing
		return "ends the session"
	case does == reads || does == thiefReads:
		m.use(s, q.Token)
		return "Touch"
	case !r.Live:
		return "Update -> revoked"
	case !m.renews(q.Loaded, does, q.Token):
		if was != r.Secret {
			if before && q.Loaded.Data == r.Data {
				s.Wrong = dropped
			}
			return "Update -> stale"
		}
		if q.Loaded.Data != r.Data {
			s.Wrong = overwritten
		}
		if m.rules.restores {
			r.Prev, r.Used = q.Loaded.Prev, q.Loaded.Used
		}
		m.use(s, q.Token)
		return "Update"
	}
	s.Issued++
	if was != r.Secret || r.Used && r.Prev == q.Token && !m.rules.retiredRenews {
		if does != proves {
			return "Update with another secret -> stale"
		}
		s.Own |= 1 << s.Issued
		q.Cookie = s.Issued
		return "Update with another secret -> stale, Create instead"
	}
	if r.Used && r.Prev == q.Token {
		s.Wrong = revived
	}
	m.renew(s, i)
	q.Cookie = s.Issued
	return "Update: " + tokenNames[s.Issued] + " in the place of " + tokenNames[q.Token]
}

// renew gives the session another secret.
func (m *model) renew(s *state, i int) {
	q, r, proof := s.Q[i], &s.R, m.does[i] == proves
	r.Other = nobody
	if m.rules.both && q.Token != r.Secret {
		r.Other = r.Secret
	}
	r.Prev, r.Secret, r.Used = q.Token, s.Issued, proof && !m.rules.provenPends
	if m.rules.newestOnly || proof && m.rules.provenForgets {
		r.Prev, r.Used = nobody, true
	}
	r.Proved, r.Renewed = proof, true
	r.Data++
	s.Answered, s.JustUse = false, r.Used
	for j := range s.Q {
		under := s.Q[j].PC != start && s.Q[j].PC != done
		s.Q[j].BeforeRenewal, s.Q[j].BeforeUse = under, under
	}
}

// use notes that a token was used for the first time.
func (m *model) use(s *state, token uint8) {
	if s.R.Live && token == s.R.Secret && !s.R.Used && !m.rules.useUnnoted {
		s.R.Used, s.R.Other, s.JustUse = true, nobody, true
		for j := range s.Q {
			s.Q[j].BeforeUse = s.Q[j].PC != start && s.Q[j].PC != done
		}
	}
}

// arrive is where the client reads the answer.
func (m *model) arrive(s *state, i int) {
	q := s.Q[i]
	if q.Cookie != nobody {
		if m.does[i] >= thiefReads {
			s.Thief = q.Cookie
		} else {
			s.Jar = q.Cookie
		}
	}
	s.SignOuts = s.SignOuts || m.does[i] == logsOut
	s.Answered = s.Answered || q.Loaded.Live && q.Token == s.R.Secret
	s.Q[i] = request{PC: done, Token: nobody, Cookie: nobody}
}
