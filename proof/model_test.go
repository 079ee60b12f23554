package proof_test

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/revoke-sessions/revoke"
)

// maxSessions is how many sessions one user's history can have.
const maxSessions = 64

// A set is a set of sessions, by number.
type set uint64

func (s set) has(session int) bool { return s&(1<<session) != 0 }

func (s set) String() string {
	var names []string
	for i := range maxSessions {
		if s.has(i) {
			names = append(names, fmt.Sprint(i))
		}
	}
	return "{" + strings.Join(names, " ") + "}"
}

// A state is what a server with one user and one request at a time would know:
// each session's current token and whether, and why, it has ended.
type state [maxSessions]session

// A session's token is numbered by the operation that issued it; none is zero.
type session struct {
	token int16
	ended kind // zero while it is live
}

func (s session) live() bool           { return s.token != 0 && s.ended == 0 }
func (s session) opens(token int) bool { return s.live() && int(s.token) == token }

func (s *state) live() (live set) {
	for i := range s {
		if s[i].live() {
			live |= 1 << i
		}
	}
	return live
}

func (s *state) end(sessions set, why kind) {
	for i := range s {
		if sessions.has(i) {
			s[i].ended = why
		}
	}
}

type kind uint8

const (
	_ kind = iota
	signIn
	use
	renew
	list
	revokeOne
	revokeOthers
	revokeAll
)

var kinds = [...]string{signIn: "sign in", use: "use", renew: "renew", list: "list",
	revokeOne: "revoke", revokeOthers: "revoke others", revokeAll: "revoke all"}

func (k kind) String() string { return kinds[k] }

// reasons are what a revoked session's holder is told, by what ended it.
var reasons = map[string]kind{
	revoke.ReasonRevoked:       revokeOne,
	revoke.ReasonRevokedOthers: revokeOthers,
	revoke.ReasonRevokedAll:    revokeAll,
}

// An input is what was asked for.
type input struct {
	kind   kind
	actor  int // the session whose token was sent; -1 for none
	token  int // its number
	target int // of revokeOne
	fresh  int // the number of the token that signIn and renew issue

	nameless set // sessions whose id no client ever learnt
}

// An output is what was answered.
type output struct {
	answer   answer
	why      kind // of told
	sessions set  // listed or revoked
	others   int  // how many were revoked besides, under ids that no client ever learnt
}

type answer uint8

const (
	unknown      answer = iota // no answer, or one that claims nothing
	done                       // carried out
	told                       // refused: the session was revoked
	nobody                     // refused: the token opens nothing
	notFound                   // refused: there is no such session to revoke
	droppedEnded               // delivered, but not saved, as the session had ended
	droppedStale               // delivered, but not saved, as the session had a newer token
)

var answers = [...]string{"?", "done", "was revoked", "unauthenticated", "not found", "dropped", "dropped as stale"}

// step says whether the model would have answered so, and what it knows then.
//
// It stands for one step of the server. A request takes two, for it looks its
// own session up first: that is a "use" of its own in the history.
func step(s state, in input, out output) (bool, state) {
	var actor session
	if in.actor >= 0 {
		actor = s[in.actor]
	}
	acts := in.actor < 0 || actor.live()
	switch out.answer {
	case unknown: // the last operations of a history may have had no effect
		return true, apply(s, in)
	case nobody:
		return actor.token == 0 || int(actor.token) != in.token, s
	case told:
		// Whose session ends while it asks for a revocation is told even if its
		// token has changed meanwhile.
		return actor.ended != 0 && actor.ended == out.why && (int(actor.token) == in.token || in.kind >= revokeOne), s
	case notFound:
		return acts && !s[in.target].live(), s
	case droppedEnded:
		return actor.ended != 0, s
	case droppedStale:
		return actor.live() && int(actor.token) != in.token, s
	}
	legal := acts
	switch in.kind {
	case signIn:
		legal = actor.token == 0
	case use, renew:
		legal = actor.opens(in.token)
	case list:
		return s.live() == out.sessions, s
	case revokeOne:
		legal = acts && s[in.target].live()
	case revokeOthers, revokeAll:
		ended := s.live()
		if in.kind == revokeOthers {
			ended &^= 1 << in.actor
		}
		legal = acts && ended&^in.nameless == out.sessions && bits.OnesCount64(uint64(ended&in.nameless)) == out.others
	}
	return legal, apply(s, in)
}

// apply returns what is known after an operation that has had its effect, if it
// could have one.
func apply(s state, in input) state {
	acts := in.actor < 0 || s[in.actor].live()
	switch {
	case in.kind == signIn && s[in.actor].token == 0, in.kind == renew && s[in.actor].opens(in.token):
		s[in.actor].token = int16(in.fresh)
	case in.kind == revokeOne && acts && s[in.target].live():
		s.end(1<<in.target, revokeOne)
	case in.kind == revokeOthers && acts:
		s.end(s.live()&^(1<<in.actor), revokeOthers)
	case in.kind == revokeAll && acts:
		s.end(s.live(), revokeAll)
	}
	return s
}

// sessionsModel is the sequential model of one user's sessions.
var sessionsModel = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(s, in, out any) (bool, any) {
		legal, next := step(s.(state), in.(input), out.(output))
		return legal, next
	},
	DescribeOperation: func(in, out any) string {
		i, o := in.(input), out.(output)
		text := i.kind.String()
		switch i.kind {
		case signIn:
			text += fmt.Sprintf(" as %d/%d", i.actor, i.fresh)
		case revokeOne:
			text += fmt.Sprintf(" %d by %d/%d", i.target, i.actor, i.token)
		case renew:
			text += fmt.Sprintf(" %d/%d to %d", i.actor, i.token, i.fresh)
		default:
			if i.actor >= 0 {
				text += fmt.Sprintf(" by %d/%d", i.actor, i.token)
			}
		}
		text += ": " + answers[o.answer]
		if o.answer == told {
			text += " by " + o.why.String()
		}
		if o.answer == done && (i.kind == list || i.kind >= revokeOthers) {
			text += " " + o.sessions.String()
		}
		if o.others > 0 {
			text += fmt.Sprintf(" and %d more", o.others)
		}
		return text
	},
	DescribeState: func(s any) string {
		var lines []string
		for i, session := range s.(state) {
			switch {
			case session.live():
				lines = append(lines, fmt.Sprintf("%d/%d live", i, session.token))
			case session.token != 0:
				lines = append(lines, fmt.Sprintf("%d/%d ended: %v", i, session.token, session.ended))
			}
		}
		return strings.Join(lines, "\n")
	},
}
