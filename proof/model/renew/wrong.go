package main

// wrong says which invariants do not hold in a state.
func (m *model) wrong(s state, violates func(string)) {
	if s.Wrong != 0 {
		violates(wrongs[s.Wrong])
	}
	if s.R.Live && s.Answered && s.R.Prev != nobody && s.R.opens(s.R.Prev) {
		violates(isOldOpens)
	}
	thief := false
	for i, q := range s.Q {
		if q.PC != start && q.PC != done {
			return
		}
		thief = thief || i < len(m.does) && m.does[i] >= thiefReads && q.PC == done
	}
	held := s.Jar < visitor
	switch opens := held && (s.R.opens(s.Jar) || s.Own>>s.Jar&1 == 1); {
	case !s.Ended && s.R.Live && !opens && thief:
		violates(isThief)
	case !s.Ended && s.R.Live && !opens:
		violates(isSignedOut)
	case s.SignOuts && s.R.Live && !thief:
		violates(isLiving)
	case held && s.R.opens(s.Jar) && !s.R.Renewed && !m.renews(s.R, renews, s.Jar):
		violates(isStuck)
	}
}
