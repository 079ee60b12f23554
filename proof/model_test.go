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
// each session's tokens and whether, and why, it has ended.
type state struct {
	sessions [maxSessions]session
	swept    bool // all sessions, or all but one, were revoked: none from before revoke came is adopted any more
}

// A session's tokens are numbered by the operations that issued them; none is zero.
type session struct {
	token   int16
	prev    int16 // before the last renewal
	old     int16 // from before revoke came: its record may be deleted when the session has ended
	used    bool  // token was, since the renewal: prev opens nothing
	renewed bool  // a moment ago, so that it is not renewed again without a proof
	dormant bool  // from before revoke came, and not adopted yet
	ended   kind  // zero while it is live
}

func (s session) live() bool { return s.token != 0 && !s.dormant && s.ended == 0 }

// knows reports whether a token opens the session, or has done so when it ended.
func (s session) knows(token int) bool {
	return int(s.token) == token || int(s.prev) == token && !s.used
}

func (s session) opens(token int) bool { return s.live() && s.knows(token) }

func (s *state) live() (live set) {
	for i := range s.sessions {
		if s.sessions[i].live() {
			live |= 1 << i
		}
	}
	return live
}

func (s *state) end(sessions set, why kind) {
	for i := range s.sessions {
		if sessions.has(i) {
			s.sessions[i].ended = why
		}
	}
}

type kind uint8

const (
	_ kind = iota
	signIn
	oldSignIn // without revoke
	adopt     // which a request with the cookie of such a sign-in begins with
	use
	noteUse // of a token, which a request ends with
	renew
	prove // who one is, which renews
	list
	revokeOne
	revokeOthers
	revokeAll
)

var kinds = [...]string{signIn: "sign in", oldSignIn: "sign in without revoke", adopt: "adopt",
	use: "use", noteUse: "note the use", renew: "renew", prove: "prove", list: "list",
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
	fresh  int // the number of the token that a sign-in or a renewal issues

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
	skipped                    // not renewed, as it was a moment ago
)

var answers = [...]string{"?", "done", "was revoked", "unauthenticated", "not found", "dropped", "dropped as stale", "skipped"}

// step says whether the model would have answered so, and what it knows then.
//
// It stands for one step of the server. A request takes two, for it looks its
// own session up first: that is a "use" of its own in the history.
func step(s state, in input, out output) (bool, state) {
	var actor session
	if in.actor >= 0 {
		actor = s.sessions[in.actor]
	}
	acts := in.actor < 0 || actor.live()
	switch out.answer {
	case unknown: // the last operations of a history may have had no effect
		return true, apply(s, in)
	case nobody:
		return actor.token == 0 || actor.dormant || !actor.knows(in.token) || actor.ended != 0 && int(actor.old) == in.token, s
	case told:
		switch {
		case in.kind == signIn:
			return s.swept, s
		case in.kind == renew || in.kind == prove: // is told that it ended, not why
			return actor.ended != 0, s
		}
		// Whose session ends while it asks for a revocation is told even if its
		// token has changed meanwhile.
		return actor.ended != 0 && actor.ended == out.why && (actor.knows(in.token) || in.kind >= revokeOne), s
	case notFound:
		return acts && !s.sessions[in.target].live(), s
	case droppedEnded:
		return actor.ended != 0, s
	case droppedStale:
		return actor.live() && actor.renewed, s
	case skipped:
		return actor.renewed && in.kind == renew, s
	}
	legal := acts
	switch in.kind {
	case adopt, noteUse:
		legal = true
	case signIn, oldSignIn:
		legal = actor.token == 0
	case use:
		legal = actor.opens(in.token)
	case renew, prove:
		legal = actor.renews(in)
	case list:
		return s.live() == out.sessions, s
	case revokeOne:
		legal = acts && s.sessions[in.target].live()
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
	actor := new(session)
	if in.actor >= 0 {
		actor = &s.sessions[in.actor]
	}
	acts := in.actor < 0 || actor.live()
	switch in.kind {
	case signIn, oldSignIn:
		if actor.token == 0 {
			actor.token = int16(in.fresh)
			if in.kind == oldSignIn {
				actor.old, actor.dormant = actor.token, true
			}
		}
	case adopt:
		actor.dormant = actor.dormant && s.swept
	case noteUse:
		actor.used = actor.used || actor.live() && int(actor.token) == in.token
	case renew, prove:
		if actor.renews(in) {
			actor.token, actor.prev, actor.used, actor.renewed = int16(in.fresh), int16(in.token), in.kind == prove, true
		}
	case revokeOne:
		if acts && s.sessions[in.target].live() {
			s.end(1<<in.target, revokeOne)
		}
	case revokeOthers:
		if acts {
			s.end(s.live()&^(1<<in.actor), revokeOthers)
			s.swept = true
		}
	case revokeAll:
		if acts {
			s.end(s.live(), revokeAll)
			s.swept = true
		}
	}
	return s
}

// renews reports whether a renewal is carried out. With a proof, the token before the
// last renewal may do it though the new one was used since its request has begun.
func (s session) renews(in input) bool {
	if in.kind == prove {
		return s.live() && (int(s.token) == in.token || int(s.prev) == in.token)
	}
	return s.live() && !s.renewed && int(s.token) == in.token
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
		case signIn, oldSignIn:
			text += fmt.Sprintf(" as %d/%d", i.actor, i.fresh)
		case revokeOne:
			text += fmt.Sprintf(" %d by %d/%d", i.target, i.actor, i.token)
		case renew, prove:
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
		for i, session := range s.(state).sessions {
			switch {
			case session.live():
				lines = append(lines, fmt.Sprintf("%d/%d live%s", i, session.token, session.before()))
			case session.token != 0:
				lines = append(lines, fmt.Sprintf("%d/%d ended: %v", i, session.token, session.ended))
			}
		}
		return strings.Join(lines, "\n")
	},
}

// before tells the token before the last renewal, while it opens the session.
func (s session) before() string {
	if s.prev == 0 || s.used {
		return ""
	}
	return fmt.Sprintf(", by %d as well", s.prev)
}
