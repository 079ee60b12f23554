package interleaving

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

// An operation is what was done to sessions, with the answer that was given and
// the steps in which it was done. What was answered is true if there is an order
// of all operations, one at a time, in which those are the answers, and in which
// none comes before another that was answered when it began (Herlihy and Wing,
// "Linearizability: a correctness condition for concurrent objects", 1990).
type operation struct {
	kind        operationKind
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

type operationKind int

const (
	loads           operationKind = iota // a request finds the session of its cookie, or nobody
	adopts                               // a session from before revoke came begins, unless it has
	signsIn                              // a session begins, and one beyond the limit ends; none begins of one that has ended
	logsOut                              // a session ends, unless it has
	mayEnd                               // a session ends, or not; nobody is told
	revokes                              // a session of the user's ends
	revokesAll                           // all sessions of the user's end but the one that revokes
	revokesEveryone                      // all sessions end
)

// resolve replaces the sessions of an answer by their numbers.
func (sc *scene) resolve(op *operation) error {
	for _, ended := range op.ended {
		n := sessionNo(slices.IndexFunc(sc.signIns, func(in signIn) bool { return in.id == ended.ID }))
		if n < 0 || op.set.has(n) {
			return fmt.Errorf("the answer to %s names %q, which is no session, or named twice", op.who, ended.ID)
		}
		op.set = op.set.with(n)
	}
	if op.kind == loads && op.found != nobody && op.found != op.target {
		return fmt.Errorf("%s loads %v with the cookie of %v", op.who, sc.named(op.found), sc.named(op.target))
	}
	return nil
}

// A state is what there is between two operations.
type state struct {
	live   sessionSet
	late   sessionSet // had ended when they logged out
	legacy sessionSet // from before revoke came, and not adopted yet
	done   uint32     // operations
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

// explain reports whether there is an order of the operations that are not
// done yet after which the sessions that are open are live.
func (sc *scene) explain(st state, open sessionSet) bool {
	answered := math.MaxInt // the first answer to one of them
	for i, op := range sc.operations {
		if st.done&(1<<i) == 0 {
			answered = min(answered, op.last)
		}
	}
	if answered == math.MaxInt {
		if sc.uses(attic) {
			st.live |= st.legacy // to try their cookie was to adopt them
		}
		return st.live == open
	}
	for i := range sc.operations {
		op := &sc.operations[i]
		if st.done&(1<<i) != 0 || op.first > answered {
			continue
		}
		next := st
		next.done |= 1 << i
		if sc.can(op, next, func(after state) bool { return sc.explain(after, open) }) {
			return true
		}
	}
	return false
}

// can reports whether the answer to an operation is true in a state, and then is
// true of one of the states in which the operation can leave it.
func (sc *scene) can(op *operation, st state, then func(state) bool) bool {
	switch op.kind {
	case loads:
		if op.found != nobody {
			return st.live.has(op.found) && then(st)
		}
		return (!(st.live | st.legacy).has(op.target) || sc.mayBeStale(op)) && then(st)
	case adopts:
		if !st.legacy.has(op.target) {
			return then(st)
		}
		st.legacy = st.legacy.without(op.target)
		return sc.canBegin(op.target, st, then)
	case signsIn:
		if st.late.has(op.by) {
			return then(st)
		}
		return sc.canBegin(op.target, st, then)
	case logsOut:
		if !st.live.has(op.target) {
			st.late = st.late.with(op.target)
		}
		st.live = st.live.without(op.target)
		return then(st)
	case mayEnd:
		if then(st) {
			return true
		}
		st.live = st.live.without(op.target)
		return then(st)
	case revokesEveryone:
		st.live, st.legacy = 0, 0
		return then(st)
	}

	// What is left revokes. A session that is not live revokes nobody.
	if op.by != nobody && !st.live.has(op.by) {
		return errors.Is(op.err, revoke.ErrUnauthenticated) && then(st)
	}
	of := st.live & sc.of(op.user)
	if op.kind == revokes {
		if !of.has(op.target) {
			return errors.Is(op.err, revoke.ErrNotFound) && then(st)
		}
		st.live = st.live.without(op.target)
		return op.err == nil && then(st)
	}
	st.live &^= op.set
	return op.err == nil && op.set == of.without(op.by) && then(st)
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
func (sc *scene) mayBeStale(op *operation) bool {
	return slices.ContainsFunc(sc.renewals, func(r renewal) bool { return r.session == op.target && r.step <= op.last })
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

// told tells the operations with their answers, and what there is in the end.
func (sc *scene) told(open sessionSet) string {
	var all []string
	for _, op := range sc.operations {
		target, kept, answer := sc.named(op.target), "", ""
		if op.by != nobody {
			kept = " but " + sc.named(op.by)
		}
		switch {
		case op.kind == loads && op.target == nobody:
			continue
		case op.err != nil:
			answer = ": " + op.err.Error()
		case op.kind == loads:
			answer = ": " + sc.named(op.found)
		case op.kind == revokesAll:
			answer = ": " + sc.list(op.set)
		}
		all = append(all, op.who+" "+[...]string{
			loads: "loads " + target, adopts: "adopts " + target, signsIn: "begins " + target, logsOut: "logs out " + target,
			mayEnd: "may end " + target, revokes: "revokes " + target, revokesAll: "revokes all" + kept, revokesEveryone: "revokes everyone",
		}[op.kind]+answer)
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
