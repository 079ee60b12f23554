package main

import "github.com/revoke-sessions/revoke/proof/model/explore"

// Proofs that the sign-in's request gives.
const (
	unproved        = iota // RenewToken, and Put of the user
	login                  // Login
	reauthenticated        // Reauthenticated
)

// Revokers act at the same time.
const (
	nothing = iota
	revokeX
	revokeAll
	renewalOfX
)

var revokerNames = [...]string{"", "Revoke(X)", "RevokeAll", "another request's renewal of X"}

// Rules are left out one at a time. The zero value is the protocol.
type rules struct {
	noMark       bool // RevokeAll leaves no mark for Create
	beginsLate   bool // a sign-in begins when Create is called
	ownCounts    bool // the request's own RevokeAll counts against it
	staysDropped bool // a proved sign-in whose session is not what it was is dropped
	otherDropped bool // so is one of another user
	unguarded    bool // without proof, another user goes on from a session that has ended
	silent       bool // a sign-in that cannot be is answered as any other
	keepsX       bool // another user's sign-in does not end the session that it comes from
	clockAhead   int8 // of the node that signs in
}

var asBefore = rules{noMark: true, staysDropped: true, otherDropped: true, unguarded: true, silent: true}

// A model is a sign-in, and who acts meanwhile.
type model struct {
	cookie   bool // it comes with the cookie of session X
	proof    uint8
	other    bool // of another user than X's
	ownAll   bool // it calls RevokeAll before it signs in, as a reset of the password does
	revokers [2]uint8
	faults   uint8
	rules    rules
}

// Where the sign-in is.
const (
	start = iota
	password
	update
	endX
	create
	done
)

// What it is answered.
const (
	open = iota
	welcome
	unauthorized
	unavailable
)

var answers = [...]string{"", ": welcome", ": 401", ": 503"}

type state struct {
	Clock int8

	X, Made bool // session X, and the one that the sign-in has made, live
	Version uint8
	Mark    int8

	PC      uint8
	Began   int8
	Arrived int8
	Loaded  uint8
	FromX   bool // X was open when it arrived
	Answer  uint8
	Holds   bool // it has made a session, or gone on in X
	XEnded  bool // X had ended before the sign-in could end it

	Revoker  [2]uint8 // 0: not called; 1: called; 2: answered
	CalledAt [2]int8
	AllAt    int8 // the last RevokeAll that was answered was called then; 0 for none
	AllDone  int8 // and answered then
	OwnAt    int8
	Due      int8 // the last RevokeAll was called then

	Late   bool // Create is to take effect yet
	Faults uint8
}

func (m *model) start() state { return state{X: true, Faults: m.faults} }

func (m *model) next(s state, to *explore.Steps[state]) {
	s.Clock++
	for i, does := range m.revokers {
		if does != nothing && s.Revoker[i] < 2 {
			m.revoke(s, i, to)
		}
	}
	if s.Late {
		n := s
		n.Late = false
		m.create(&n)
		to.State(n, "the late Create takes effect")
	}
	if s.PC != done {
		m.signIn(s, to)
	}
}

// revoke calls a revoker, or has it take effect and answer.
func (m *model) revoke(s state, i int, to *explore.Steps[state]) {
	does := m.revokers[i]
	s.Revoker[i]++
	if s.Revoker[i] == 1 {
		s.CalledAt[i] = s.Clock
		if does == revokeAll {
			s.Due = s.Clock
		}
		to.State(s, revokerNames[does], "is called")
		return
	}
	switch does {
	case revokeX:
		s.X = false
	case renewalOfX:
		s.Version++
	case revokeAll:
		m.endAll(&s, s.CalledAt[i])
		s.AllAt, s.AllDone = max(s.AllAt, s.CalledAt[i]), s.Clock
	}
	to.State(s, revokerNames[does], "takes effect, and is answered")
}

// endAll is RevokeAll of the user whose session X is.
func (m *model) endAll(s *state, at int8) {
	s.X = false
	s.Made = s.Made && m.other
	s.Mark = max(s.Mark, at)
}

// create is Create of the sign-in's session. It reports whether it was let.
func (m *model) create(s *state) bool {
	if !m.other && !m.rules.noMark && s.Mark != 0 && s.Began <= s.Mark {
		return false
	}
	s.Made = true
	return true
}

// signIn is the next step of the sign-in.
func (m *model) signIn(s state, to *explore.Steps[state]) {
	n := s
	switch s.PC {
	case start:
		n.PC, n.Arrived, n.Began = password, s.Clock, s.Clock+m.rules.clockAhead
		if n.FromX = m.cookie && s.X; n.FromX {
			n.Loaded = s.Version
			to.State(n, "the sign-in arrives, in session X")
			return
		}
		to.State(n, "the sign-in arrives")
	case password:
		n.PC = m.save(&n)
		if !m.ownAll {
			to.State(n, "the password is right")
			return
		}
		m.endAll(&n, s.Clock)
		n.OwnAt, n.Due = s.Clock, s.Clock
		if n.Clock++; !m.rules.ownCounts {
			n.Began = n.Clock
		}
		n.FromX, n.PC = false, create
		to.State(n, "the password is right, and the same request calls RevokeAll")
	case update:
		switch {
		case s.X && s.Version == s.Loaded:
			n.Version++
			m.finish(&n, true, to, "X goes on under a new token")
		case m.proof == login && !m.rules.staysDropped:
			n.PC = create
			to.State(n, "X is not what it was: the sign-in is one of its own")
		default:
			m.finish(&n, false, to, "X is not what it was: dropped")
		}
	case endX:
		n.X, n.XEnded = n.X && m.rules.keepsX, !s.X
		switch {
		case s.X, m.proof == login && !m.rules.otherDropped, m.proof != login && m.rules.unguarded:
			n.PC = create
			to.State(n, map[bool]string{true: "X is ended", false: "X has ended: the sign-in is one of its own"}[s.X])
		default:
			m.finish(&n, false, to, "X has ended: dropped")
		}
	case create:
		if m.rules.beginsLate {
			n.Began = s.Clock
			s.Began = s.Clock
		}
		made := m.create(&n)
		after := n
		m.finish(&n, made, to, map[bool]string{true: "Create", false: "Create is refused"}[made])
		if s.Faults == 0 {
			return
		}
		after.Faults--
		after.PC, after.Answer = done, unavailable
		to.State(after, "Create takes effect, its answer is lost", answers[unavailable])
		s.Faults--
		s.PC, s.Answer, s.Late = done, unavailable, true
		to.State(s, "Create fails, to take effect later", answers[unavailable])
	}
}

// save says what the end of the request begins with.
func (m *model) save(s *state) uint8 {
	switch {
	case !s.FromX:
		return create
	case m.other:
		return endX
	}
	return update
}

func (m *model) finish(s *state, holds bool, to *explore.Steps[state], what string) {
	s.PC, s.Holds, s.Answer = done, holds, welcome
	if !holds && !m.rules.silent {
		s.Answer = unauthorized
	}
	to.State(*s, what, answers[s.Answer])
}

const (
	isOutliving = "a sign-in that was under way outlives RevokeAll"
	isLaundered = "a sign-in that was under way outlives RevokeAll, as it has called RevokeAll itself since"
	isRefused   = "a sign-in is refused, and nobody has revoked since it began"
	isSilent    = "a sign-in is answered as if it held, and has no session"
	isGoingOn   = "without proof, a request of a session that was ended makes another"
	isBeside    = "the session of the user before lives on beside that of the other"
)

// wrong says which invariants do not hold in a state.
func (m *model) wrong(s state, violates func(string)) {
	if s.PC != done {
		return
	}
	lives := s.Made || s.Holds && s.X && !m.other
	if s.AllAt > s.Arrived && !m.other && lives {
		if s.OwnAt > s.AllAt {
			violates(isLaundered)
		} else {
			violates(isOutliving)
		}
	}
	revoked := !m.other && (s.Due > s.Arrived && s.Due != s.OwnAt || s.AllDone > s.Arrived)
	if m.proof == login && s.Answer != unavailable && !s.Holds && !revoked {
		violates(isRefused)
	}
	if s.Answer == welcome && !s.Holds {
		violates(isSilent)
	}
	if m.proof == unproved && s.XEnded && s.Made {
		violates(isGoingOn)
	}
	if m.cookie && m.other && s.FromX && s.Answer == welcome && s.Holds && s.X {
		violates(isBeside)
	}
}
