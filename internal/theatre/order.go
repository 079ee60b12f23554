package theatre

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/revoke-sessions/revoke"
)

// An operation is what was done to sessions, with the answer that was given and
// the steps in which it was done. What was answered is true if there is an order
// of all operations, one at a time, in which those are the answers, and in which
// none comes before another that was answered when it began (Herlihy and Wing,
// "Linearizability: a correctness condition for concurrent objects", 1990).
type operation struct {
	*exchange   // in which it was done
	kind        operationKind
	user        string    // whose sessions are revoked
	by          sessionNo // that revokes (nobody stands for the owner), or of which another begins
	target      sessionNo
	found       sessionNo        // by loads
	ended       []revoke.Session // by revokesAll
	err         error
	first, last int // step

	began, at    int  // ticks: of a sign-in, and of revokesAll
	keepsNone    bool // of revokesAll
	hadLoggedOut bool // before it was refused
	unsure       bool // it may have had its effect, then or later, or not

	set sessionSet // ended
}

type operationKind int

const (
	loads           operationKind = iota // a request finds the session of its cookie, or nobody
	adopts                               // a session from before revoke came begins, unless it has
	comesBeside                          // a session begins on a node of plain scs, to be adopted
	signsIn                              // a session begins, and one beyond the limit ends; none begins of one that has ended
	begins                               // likewise, as the session that was signed in to anew has ended
	isRefused                            // no session begins, or is renewed, as it has ended or all were revoked
	renews                               // a session is renewed
	logsOut                              // a session ends, unless it has
	mayEnd                               // a session ends, or not; nobody is told
	revokes                              // a session of the user's ends
	revokesAll                           // all sessions of the user's end but the one that revokes; what began by then does not begin
	refusesOld                           // no session from before revoke came begins any more
	revokesEveryone                      // all sessions end
)

// resolve replaces the sessions of an answer by their numbers.
func (sc *scene) resolve(op *operation) error {
	for _, ended := range op.ended {
		n := sessionNo(slices.IndexFunc(sc.signIns, func(in signIn) bool { return in.id == ended.ID }))
		switch {
		case n < 0 && sc.faulty:
			continue // its sign-in was not answered
		case n < 0 || op.set.has(n):
			return fmt.Errorf("the answer to %s names %q, which is no session, or named twice", op.name, ended.ID)
		}
		op.set = op.set.with(n)
	}
	if op.kind == loads && op.found != nobody && op.found != op.target {
		return fmt.Errorf("%s loads %v with the cookie of %v", op.name, sc.named(op.found), sc.named(op.target))
	}
	return nil
}

// A state is what there is between two operations.
type state struct {
	live   sessionSet
	late   sessionSet // had ended when they logged out
	legacy sessionSet // from before revoke came, and not adopted yet
	closed bool       // to all sessions from before revoke came
	// Adoptions that were refused, as it is closed: they may be among what is revoked.
	reserved sessionSet
	marks    [2]int // when all of ann's and of bob's sessions were revoked
	done     uint32 // operations
}

// mark returns when all sessions of a user were revoked.
func (st *state) mark(user string) *int {
	if user == bob {
		return &st.marks[1]
	}
	return &st.marks[0]
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
	for i := range sc.operations {
		if op := &sc.operations[i]; st.done&(1<<i) == 0 && !op.unsure {
			answered = min(answered, op.last)
		}
	}
	if answered == math.MaxInt && sc.leaves(st, open) {
		return true
	}
	for i := range sc.operations {
		op := &sc.operations[i]
		if st.done&(1<<i) != 0 || op.first > answered || sc.waits(i, st) {
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

// waits reports whether the request of an operation has another one to do before.
func (sc *scene) waits(i int, st state) bool {
	for j := range i {
		if before := &sc.operations[j]; st.done&(1<<j) == 0 && !before.unsure && before.exchange == sc.operations[i].exchange {
			return true
		}
	}
	return false
}

// leaves reports whether a state is what there is in the end.
func (sc *scene) leaves(st state, open sessionSet) bool {
	for n := range st.legacy.all() {
		if sc.isTouched(n) {
			st.live = st.live.with(n) // to try its cookie was to adopt it
		}
	}
	return open&^st.live == 0 && st.live&^open&^sc.closed == 0
}

// can reports whether the answer to an operation is true in a state, and then is
// true of one of the states in which the operation can leave it.
func (sc *scene) can(op *operation, st state, then func(state) bool) bool {
	switch op.kind {
	case loads:
		if op.found != nobody {
			return st.live.has(op.found) && then(st)
		}
		return (!(st.live | st.legacy).has(op.target) || sc.closed.has(op.target) || sc.mayBeStale(op)) && then(st)
	case adopts:
		if !st.legacy.has(op.target) {
			if st.closed && !st.live.has(op.target) {
				st.reserved = st.reserved.with(op.target)
			}
			return then(st)
		}
		if (op.unsure || sc.closed.has(op.target)) && then(st) { // it is not there any more, or was not reached
			return true
		}
		st.legacy = st.legacy.without(op.target)
		return sc.canBegin(op.target, st, then)
	case comesBeside:
		if !st.closed && *st.mark(sc.signIns[op.target].user) == 0 {
			st.legacy = st.legacy.with(op.target)
		}
		return then(st)
	case signsIn:
		return !st.late.has(op.by) && !sc.isMarked(op, st) && sc.canBegin(op.target, st, then)
	case begins:
		return (!st.live.has(op.by) || sc.isRenewedBeside(op)) && !sc.isMarked(op, st) && sc.canBegin(op.target, st, then)
	case isRefused:
		ended := !op.hadLoggedOut && op.by != nobody && !st.live.has(op.by)
		return (ended || st.late.has(op.by) || sc.isMarked(op, st)) && then(st)
	case renews:
		return (st.live.has(op.target) || sc.isRenewedBeside(op)) && then(st)
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
	case refusesOld:
		st.legacy, st.closed = 0, true
		return then(st)
	case revokesEveryone:
		st.live, st.marks = 0, [2]int{}
		return then(st)
	}

	// What is left revokes. A session that is not live revokes nobody.
	if op.by != nobody && !st.live.has(op.by) {
		return errors.Is(op.err, revoke.ErrUnauthenticated) && then(st)
	}
	of := st.live & sc.of(op.user)
	maybe := st.reserved & sc.of(op.user)
	if op.kind == revokes {
		if !of.has(op.target) && errors.Is(op.err, revoke.ErrNotFound) {
			return then(st)
		}
		if !(of | maybe).has(op.target) {
			return op.unsure && then(st)
		}
		st.live, st.reserved = st.live.without(op.target), st.reserved.without(op.target)
		return (op.unsure || op.err == nil) && then(st)
	}
	if !op.keepsNone {
		of = of.without(op.by)
	}
	st.live &^= of
	st.legacy &^= sc.of(op.user)
	*st.mark(op.user) = max(*st.mark(op.user), op.at)
	st.reserved &^= maybe
	return (op.unsure || op.err == nil && op.set&^maybe == of) && then(st)
}

// isMarked reports whether all sessions of the user were revoked since the sign-in
// began.
func (sc *scene) isMarked(op *operation, st state) bool {
	return *st.mark(sc.signIns[op.target].user) > op.began
}

// isRenewedBeside reports whether another request may have renewed the session, so that
// this one's renewal came to nothing.
func (sc *scene) isRenewedBeside(op *operation) bool {
	return sc.faulty || sc.newestOf(op.by) != sc.opening.newestOf(op.by)
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
