package proof_test

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/revoke-sessions/revoke"
)

// A deed is what an app asks for, or what a request does besides.
type deed uint8

const (
	_       deed = iota
	issue        // a session's first token
	present      // a token, which every request of an app begins with
	accept       // the token on offer, likewise, if the answer says nothing of it
	listAll
	endOne
	endOthers
	endAll
	reuse // of an old token, which ends the session
)

var deeds = [...]string{issue: "issue", present: "present", accept: "accept", listAll: "list", endOne: "revoke", endOthers: "revoke others", endAll: "revoke all", reuse: "reuse"}

func (d deed) String() string { return deeds[d] }

// endedBy are what the app of a session that has ended is told, by what ended it.
var endedBy = map[string]deed{
	revoke.ReasonRevoked:       endOne,
	revoke.ReasonRevokedOthers: endOthers,
	revoke.ReasonRevokedAll:    endAll,
	revoke.ReasonReused:        reuse,
}

// A tokenInput is what an app has asked for.
type tokenInput struct {
	deed   deed
	actor  int  // the session whose token was sent; -1 for none
	token  int  // which of the session's, from zero
	target int  // of endOne
	inBody bool // the token came in the body, to be refreshed

	nameless set // sessions whose id no app ever learnt
}

// A tokenOutput is what was answered.
type tokenOutput struct {
	answer   answer
	why      deed // of told
	sessions set  // listed or revoked
	others   int  // how many were revoked besides, under ids that no app ever learnt
}

// A tokenState is what a server with one user and one request at a time would know.
type tokenState struct {
	sessions [maxSessions]chain
	swept    bool // all sessions, or all but one, were revoked: a sign-in from before is refused
}

// A chain is the tokens of one session. Those before the one in use open nothing any
// more, and the one after it is on offer.
type chain struct {
	issued bool
	inUse  int8
	ended  deed // zero while it is live
}

func (c chain) live() bool { return c.issued && c.ended == 0 }

func (c chain) opens(token int) bool {
	return c.live() && (token == int(c.inUse) || token == int(c.inUse)+1)
}

func (s *tokenState) live() (live set) {
	for i, c := range s.sessions {
		if c.live() {
			live |= 1 << i
		}
	}
	return live
}

func (s *tokenState) end(sessions set, why deed) {
	for i := range s.sessions {
		if sessions.has(i) {
			s.sessions[i].ended = why
		}
	}
}

// tokenModel is the sequential model of one user's apps. If old tokens alarm, the use of
// one ends its session.
func tokenModel(alarms bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return tokenState{} },
		Step: func(s, in, out any) (bool, any) {
			state := s.(tokenState)
			legal := state.step(in.(tokenInput), out.(tokenOutput), alarms)
			return legal, state
		},
		DescribeOperation: func(in, out any) string { return describe(in.(tokenInput), out.(tokenOutput)) },
		DescribeState:     func(s any) string { return s.(tokenState).String() },
	}
}

// step says whether the model would have answered so, and takes the step.
func (s *tokenState) step(in tokenInput, out tokenOutput, alarms bool) bool {
	var actor chain
	if in.actor >= 0 {
		actor = s.sessions[in.actor]
	}
	acts := in.actor < 0 || actor.live()
	switch out.answer {
	case unknown: // the last operations of a history may have had no effect
		if s.apply(in); alarms && in.deed == present {
			s.reuse(in)
		}
		return true
	case nobody: // a token that is old, or was never in use before the session ended
		if alarms {
			s.reuse(in)
		}
		// Whose session ends while its token is refreshed is told no more.
		return in.token < int(actor.inUse) || actor.ended != 0 && (in.token > int(actor.inUse) || in.inBody)
	case told:
		if in.deed == issue {
			return s.swept
		}
		return actor.ended != 0 && actor.ended == out.why && (in.token == int(actor.inUse) || in.deed >= endOne)
	case notFound:
		return acts && !s.sessions[in.target].live()
	}
	legal := acts
	ended := s.live()
	switch in.deed {
	case issue:
		legal = !actor.issued
	case present:
		legal = actor.opens(in.token)
	case listAll:
		legal = ended == out.sessions
	case endOne:
		legal = acts && s.sessions[in.target].live()
	case endOthers, endAll:
		if in.deed == endOthers {
			ended &^= 1 << in.actor
		}
		legal = acts && ended&^in.nameless == out.sessions && bits.OnesCount64(uint64(ended&in.nameless)) == out.others
	}
	s.apply(in)
	return legal
}

// reuse ends a session of which an old token was used.
func (s *tokenState) reuse(in tokenInput) {
	if actor := s.sessions[in.actor]; actor.live() && in.token < int(actor.inUse) {
		s.end(1<<in.actor, reuse)
	}
}

// apply carries an operation out, if it can have an effect.
func (s *tokenState) apply(in tokenInput) {
	var actor chain
	if in.actor >= 0 {
		actor = s.sessions[in.actor]
	}
	acts := in.actor < 0 || actor.live()
	switch {
	case in.deed == issue:
		s.sessions[in.actor].issued = true
	case (in.deed == present || in.deed == accept) && actor.opens(in.token):
		s.sessions[in.actor].inUse = int8(in.token)
	case in.deed == endOne && acts && s.sessions[in.target].live():
		s.end(1<<in.target, endOne)
	case in.deed == endOthers && acts:
		s.end(s.live()&^(1<<in.actor), endOthers)
		s.swept = true
	case in.deed == endAll && acts:
		s.end(s.live(), endAll)
		s.swept = true
	}
}

func describe(in tokenInput, out tokenOutput) string {
	text := in.deed.String()
	if in.deed == endOne {
		text += fmt.Sprint(" ", in.target)
	}
	if in.actor >= 0 {
		text += fmt.Sprintf(" by %d/%d", in.actor, in.token)
	}
	text += ": " + answers[out.answer]
	switch {
	case out.answer == told:
		text += " by " + out.why.String()
	case out.answer == done && (in.deed == listAll || in.deed >= endOthers):
		text += fmt.Sprintf(" %v, and %d more", out.sessions, out.others)
	}
	return text
}

func (s tokenState) String() string {
	var lines []string
	for i, c := range s.sessions {
		switch {
		case c.live():
			lines = append(lines, fmt.Sprintf("%d/%d live", i, c.inUse))
		case c.issued:
			lines = append(lines, fmt.Sprintf("%d/%d ended: %v", i, c.inUse, c.ended))
		}
	}
	return strings.Join(lines, "\n")
}
