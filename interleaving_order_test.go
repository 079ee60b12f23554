package revoke_test

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/revoke-sessions/revoke"
)

// An action is what was done to sessions, with the answer that was given and the
// steps in which it was done. What was answered is true if there is an order of
// all actions, one at a time, in which those are the answers, and in which none
// comes before another that was answered when it began (Herlihy and Wing,
// "Linearizability: a correctness condition for concurrent objects", 1990).
type action struct {
	kind        actionKind
	who         string    // the request
	user        string    // whose sessions are revoked
	by          sessionNo // that revokes, where nobody is the owner, or of which another begins
	target      sessionNo
	found       sessionNo        // by loads
	ended       []revoke.Session // by revokesAll
	err         error
	first, last int // step

	set sessionSet // ended
}

type actionKind int

const (
	loads           actionKind = iota // a request finds the session of its cookie, or nobody
	adopts                            // a session from before revoke came begins, unless it has
	signsIn                           // a session begins, and one beyond the limit ends; none begins of one that has ended
	logsOut                           // a session ends, unless it has
	mayEnd                            // a session ends, or not; nobody is told
	revokes                           // a session of the user's ends
	revokesAll                        // all sessions of the user's end but the one that revokes
	revokesEveryone                   // all sessions end
)

// resolve replaces the sessions of an answer by their numbers.
func (sc *scene) resolve(a *action) error {
	for _, ended := range a.ended {
		n := sessionNo(slices.IndexFunc(sc.signIns, func(in signIn) bool { return in.id == ended.ID }))
		if n < 0 || a.set.has(n) {
			return fmt.Errorf("the answer to %s names %q, which is no session, or named twice", a.who, ended.ID)
		}
		a.set = a.set.with(n)
	}
	if a.kind == loads && a.found != nobody && a.found != a.target {
		return fmt.Errorf("%s loads %v with the cookie of %v", a.who, sc.named(a.found), sc.named(a.target))
	}
	return nil
}

// A state is what there is between two actions.
type state struct {
	live   sessionSet
	late   sessionSet // had ended when they logged out
	legacy sessionSet // from before revoke came, and not adopted yet
	done   uint32     // actions
}

func (sc *scene) start() (st state) {
	for n, in := range sc.opening.signIns {
		if in.legacy {
			st.legacy = st.legacy.with(sessionNo(n))
		} else {
			st.live = st.live.with(sessionNo(n))
		}
	}
	return st
}

// explain reports whether there is an order of the actions that are not done
// yet after which the sessions that are open are live.
func (sc *scene) explain(st state, open sessionSet) bool {
	answered := math.MaxInt // the first answer to one of them
	for i, a := range sc.actions {
		if st.done&(1<<i) == 0 {
			answered = min(answered, a.last)
		}
	}
	if answered == math.MaxInt {
		if sc.uses(attic) {
			st.live |= st.legacy // to try their cookie was to adopt them
		}
		return st.live == open
	}
	for i := range sc.actions {
		a := &sc.actions[i]
		if st.done&(1<<i) != 0 || a.first > answered {
			continue
		}
		next := st
		next.done |= 1 << i
		if sc.can(a, next, func(after state) bool { return sc.explain(after, open) }) {
			return true
		}
	}
	return false
}

// can reports whether the answer to an action is true in a state, and then is
// true of one of the states in which the action can leave it.
func (sc *scene) can(a *action, st state, then func(state) bool) bool {
	switch a.kind {
	case loads:
		if a.found != nobody {
			return st.live.has(a.found) && then(st)
		}
		return (!(st.live | st.legacy).has(a.target) || sc.mayBeStale(a)) && then(st)
	case adopts:
		if !st.legacy.has(a.target) {
			return then(st)
		}
		st.legacy = st.legacy.without(a.target)
		return sc.canBegin(a.target, st, then)
	case signsIn:
		if st.late.has(a.by) {
			return then(st)
		}
		return sc.canBegin(a.target, st, then)
	case logsOut:
		if !st.live.has(a.target) {
			st.late = st.late.with(a.target)
		}
		st.live = st.live.without(a.target)
		return then(st)
	case mayEnd:
		if then(st) {
			return true
		}
		st.live = st.live.without(a.target)
		return then(st)
	case revokesEveryone:
		st.live, st.legacy = 0, 0
		return then(st)
	}

	// What is left revokes. A session that is not live revokes nobody.
	if a.by != nobody && !st.live.has(a.by) {
		return errors.Is(a.err, revoke.ErrUnauthenticated) && then(st)
	}
	of := st.live & sc.of(a.user)
	if a.kind == revokes {
		if !of.has(a.target) {
			return errors.Is(a.err, revoke.ErrNotFound) && then(st)
		}
		st.live = st.live.without(a.target)
		return a.err == nil && then(st)
	}
	st.live &^= a.set
	return a.err == nil && a.set == of.without(a.by) && then(st)
}

// canBegin begins a session, and ends any one of the others beyond the limit.
func (sc *scene) canBegin(n sessionNo, st state, then func(state) bool) bool {
	st.live = st.live.with(n)
	others, limit := st.live&sc.of(sc.signIns[n].user).without(n), sc.setting.maxPerUser
	if limit == 0 || others.len() < limit {
		return then(st)
	}
	for other := range others.all() {
		after := st
		after.live = after.live.without(other)
		if then(after) {
			return true
		}
	}
	return false
}

// mayBeStale reports whether the cookie that has loaded nobody may be one that
// a renewal had replaced.
func (sc *scene) mayBeStale(a *action) bool {
	return slices.ContainsFunc(sc.renewals, func(r renewal) bool { return r.session == a.target && r.step <= a.last })
}

// of returns the sessions of a user.
func (sc *scene) of(user string) (set sessionSet) {
	for n, in := range sc.signIns {
		if in.user == user {
			set = set.with(sessionNo(n))
		}
	}
	return set
}

// told tells the actions with their answers, and what there is in the end.
func (sc *scene) told(open sessionSet) string {
	var all []string
	for _, a := range sc.actions {
		target, kept, answer := sc.named(a.target), "", ""
		if a.by != nobody {
			kept = " but " + sc.named(a.by)
		}
		switch {
		case a.kind == loads && a.target == nobody:
			continue
		case a.err != nil:
			answer = ": " + a.err.Error()
		case a.kind == loads:
			answer = ": " + sc.named(a.found)
		case a.kind == revokesAll:
			answer = ": " + sc.list(a.set)
		}
		all = append(all, a.who+" "+[...]string{
			loads: "loads " + target, adopts: "adopts " + target, signsIn: "begins " + target, logsOut: "logs out " + target,
			mayEnd: "may end " + target, revokes: "revokes " + target, revokesAll: "revokes all" + kept, revokesEveryone: "revokes everyone",
		}[a.kind]+answer)
	}
	return strings.Join(all, "; ") + "; in the end there is " + sc.list(open)
}

func (sc *scene) list(set sessionSet) string {
	var names []string
	for n := range set.all() {
		names = append(names, sc.named(n))
	}
	if names == nil {
		return "nothing"
	}
	return strings.Join(names, " and ")
}

// A sessionSet is a set of sessions, of which nobody is never one.
type sessionSet uint32

func (set sessionSet) has(n sessionNo) bool        { return n != nobody && set&(1<<n) != 0 }
func (set sessionSet) with(n sessionNo) sessionSet { return set | 1<<n }
func (set sessionSet) len() int                    { return bits.OnesCount32(uint32(set)) }
func (set sessionSet) without(n sessionNo) sessionSet {
	if n == nobody {
		return set
	}
	return set &^ (1 << n)
}

func (set sessionSet) all() iter.Seq[sessionNo] {
	return func(yield func(sessionNo) bool) {
		for n := range sessionNo(32) {
			if set.has(n) && !yield(n) {
				return
			}
		}
	}
}
