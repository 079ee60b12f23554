package interleaving

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/revoke-sessions/revoke"
)

// An act is what the handler of a request does, or the owner without one. The
// data of each session says which it is, and has a note that the data of no other
// may come to have.
type act struct {
	does string // in a story, of the step that stores it
	do   func(x *exchange, w http.ResponseWriter, ctx context.Context)
}

var toRead = act{"reads", func(*exchange, http.ResponseWriter, context.Context) {}}

var toWrite = act{"writes 'cart'", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	x.sm.Put(ctx, "cart", x.name)
}}

// toRenew has no proof: until the new token is used the one before opens as well.
var toRenew = act{"renews its token", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	x.asks = true
	if x.byPlainSCS() {
		x.renewing(x.loaded)
	}
	if x.plain {
		x.movesOnPlainNode(ctx)
	}
	x.must(x.sm.RenewToken(ctx))
}}

// lost has the response never arrive.
func lost(a act) act {
	return act{a.does + " (the answer is lost)", func(x *exchange, w http.ResponseWriter, ctx context.Context) {
		x.lost = true
		a.do(x, w, ctx)
	}}
}

// toProlong has the browser keep its cookie for longer.
var toProlong = act{"prolongs its session", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	x.sm.SetDeadline(ctx, time.Now().Add(48*time.Hour))
}}

var toProve = act{"proves who it is", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	x.asks = true
	x.renewing(x.loaded)
	if err := x.sessions.Reauthenticated(ctx); errors.Is(err, revoke.ErrUnauthenticated) != (x.loaded == nobody) {
		x.fail("Reauthenticated answers %v", err)
	}
}}

// toSignInAs does what scs's README has an application do. Who is signed in
// already stays in the same session.
func toSignInAs(user string) act {
	return act{"signs in as " + user, func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
		x.must(x.sm.RenewToken(ctx))
		x.signIn(ctx, user)
	}}
}

// toRename puts another user into the data, and does no more than that to sign
// in: the notes stay.
var toRename = act{"names bob as its user", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	if x.loaded == nobody {
		return
	}
	x.sm.Put(ctx, "userID", bob)
	n := x.begin(bob)
	x.sm.Put(ctx, "session", int(n))
	x.logsOutWhenSaved()
	x.whenSaved = append(x.whenSaved, operation{kind: signsIn, by: x.loaded, target: n})
}}

// toSignInCarelessly forgets to renew the token.
var toSignInCarelessly = act{"signs in as ann, and keeps its token", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	x.signIn(ctx, ann)
}}

func (x *exchange) signIn(ctx context.Context, user string) {
	x.sm.Put(ctx, "userID", user)
	by := x.loaded
	if by != nobody {
		if x.signIns[by].user == user {
			x.asks = true
			if x.byPlainSCS() {
				x.renewing(by)
			}
			return
		}
		x.logsOutWhenSaved()
	}
	n := x.becomes(ctx, user)
	if x.plain {
		x.whenSaved = append(x.whenSaved, operation{kind: comesBeside, target: n})
		return
	}
	x.whenSaved = append(x.whenSaved, operation{kind: signsIn, by: by, target: n})
}

// toLogIn signs in by Login, which is a proof. Who is signed in already stays in the
// same session while that lives, and otherwise begins another.
func toLogIn(user string) act {
	return act{"logs in as " + user, func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
		x.logIn(ctx, user)
	}}
}

func (x *exchange) logIn(ctx context.Context, user string) {
	x.must(x.sessions.Login(ctx, user))
	switch by := x.loaded; {
	case by == nobody:
		n := x.becomes(ctx, user)
		x.whenSaved = append(x.whenSaved, operation{kind: signsIn, by: nobody, target: n})
	case x.signIns[by].user == user:
		x.renewing(by)
		n := x.becomes(ctx, user)
		x.signIns[n].goesOn = by // unless the response says otherwise
		x.instead = operation{kind: begins, by: by, target: n}
	default:
		x.logsOutWhenSaved()
		n := x.becomes(ctx, user)
		x.whenSaved = append(x.whenSaved, operation{kind: signsIn, by: nobody, target: n})
	}
}

// toReset ends all of ann's sessions, after which she stays signed in here.
var toReset = act{"revokes all, and logs in", func(x *exchange, w http.ResponseWriter, ctx context.Context) {
	toRevokeAll.do(x, w, ctx)
	if op := x.operations[len(x.operations)-1]; op.err == nil {
		x.loaded = nobody
		x.logIn(ctx, ann)
	}
}}

// toDestroy logs out as scs's README has it.
var toDestroy = act{"logs out", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	x.signedOff = true
	x.must(x.sm.Destroy(ctx))
	if x.plain {
		x.closed = x.closed.with(x.loaded)
		return
	}
	x.logsOutWhenSaved()
}}

var toLogOut = act{"logs out by Logout", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	x.signedOff = true
	taken := x.run.Taken()
	x.must(x.sessions.Logout(ctx))
	if x.loaded != nobody {
		x.did(taken, operation{kind: logsOut, target: x.loaded})
	} else if before := x.sessionOf(x.cookie); before != nobody { // its token may be retired
		x.did(taken, operation{kind: mayEnd, target: before})
	}
}}

// toForget logs out, and goes on as a visitor with the same cart.
var toForget = act{"logs out, and keeps 'cart'", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	x.sm.Put(ctx, "cart", x.name)
	x.sm.Remove(ctx, "userID")
	x.sm.Remove(ctx, "session")
	x.logsOutWhenSaved()
}}

var toPanic = act{"logs out, and panics", func(x *exchange, w http.ResponseWriter, ctx context.Context) {
	toDestroy.do(x, w, ctx)
	panic(http.ErrAbortHandler)
}}

func (x *exchange) logsOutWhenSaved() {
	if x.loaded != nobody {
		x.whenSaved = append(x.whenSaved, operation{kind: logsOut, target: x.loaded})
	}
}

// toHijack takes its connection over, and comes to an end later.
var toHijack = act{"writes 'cart' (it hijacks)", func(x *exchange, w http.ResponseWriter, ctx context.Context) {
	x.sm.Put(ctx, "cart", x.name)
	_, _, err := http.NewResponseController(w).Hijack()
	x.must(err)
	x.run.Step("ends its hijacked connection")
	x.sm.Put(ctx, "cart", "late")
}}

// toStream flushes, and commits what it changes from then on itself, or is told
// that it cannot be stored.
var toStream = act{"writes 'cart' (it streams)", func(x *exchange, w http.ResponseWriter, ctx context.Context) {
	x.sm.Put(ctx, "cart", x.name)
	x.must(http.NewResponseController(w).Flush())
	x.sm.Put(ctx, "cart", "late")
	x.sm.Commit(ctx)
}}

// toCommitLate leaves a goroutine behind that commits, or is told that it
// cannot be stored.
var toCommitLate = act{"writes 'cart' (it commits late)", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	x.sm.Put(ctx, "cart", x.name)
	x.afterwards = func() {
		x.run.Step("wakes up")
		x.sm.Put(ctx, "cart", "late")
		x.sm.Commit(ctx)
	}
}}

// toRenewLate leaves a goroutine behind that moves the session to a token of
// which the browser cannot be told. That is to log out.
var toRenewLate = act{"reads (it renews late)", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	x.afterwards = func() {
		x.run.Step("wakes up")
		taken := x.run.Taken()
		x.must(x.sm.RenewToken(ctx))
		if token, _, err := x.sm.Commit(ctx); err == nil {
			x.issue(token, x.loaded)
		}
		if x.loaded != nobody {
			x.did(taken, operation{kind: mayEnd, target: x.loaded})
		}
	}
}}

// toMerge merges the session of another browser. In that of a visitor or of
// another user it goes on; in another of the same user's it ends.
func toMerge(from browser) act {
	return act{"merges the " + from.String() + "'s session", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
		before, cookie := x.sessionIn(x.sm, ctx), x.jars[from]
		x.must(x.sm.MergeSession(ctx, cookie))
		source := x.sessionOf(cookie)
		switch {
		case source == nobody || x.sessionIn(x.sm, ctx) == before:
		case x.loaded != nobody && x.signIns[x.loaded].user == x.signIns[source].user:
			x.sm.Put(ctx, "session", int(x.loaded))
			x.whenSaved = append(x.whenSaved, operation{kind: mayEnd, target: source})
		default:
			x.renewing(source)
			x.signIns[source].holders = append([]browser{x.at}, x.signIns[source].holders...)
			x.logsOutWhenSaved()
		}
	}}
}

// toRevoke ends the session that a browser had when the scene began.
func toRevoke(at browser) act {
	return act{"revokes the " + at.String() + "'s session", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
		if isOwner := x.ctx == nil; isOwner || x.loaded != nobody {
			x.revoke(ctx, x.firstOf(at))
		}
	}}
}

// toRevokeItself ends the session of the request, which then writes.
var toRevokeItself = act{"revokes itself", func(x *exchange, w http.ResponseWriter, ctx context.Context) {
	if x.loaded != nobody {
		x.revoke(ctx, x.loaded)
	}
	x.sm.Put(ctx, "cart", x.name)
}}

// revoke ends a session of the user who asks. The owner asks for ann.
func (x *exchange) revoke(ctx context.Context, target sessionNo) {
	user := ann
	if x.loaded != nobody {
		user = x.signIns[x.loaded].user
	}
	taken := x.run.Taken()
	err := x.sessions.Revoke(ctx, user, x.signIns[target].id)
	x.did(taken, operation{kind: revokes, user: user, by: x.loaded, target: target, err: err})
}

var toRevokeOthers = act{"revokes the others", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	taken, at := x.run.Taken(), x.tick()
	ended, err := x.sessions.RevokeOthers(ctx)
	switch {
	case x.loaded != nobody:
		x.did(taken, operation{kind: revokesAll, user: x.signIns[x.loaded].user, by: x.loaded, ended: ended, err: err, at: at})
	case !errors.Is(err, revoke.ErrUnauthenticated):
		x.fail("RevokeOthers answers nobody with %v", err)
	}
}}

var toRevokeAll = act{"revokes all", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	taken, at, by := x.run.Taken(), x.tick(), nobody
	if x.loaded != nobody && x.signIns[x.loaded].user == ann {
		by = x.loaded
	}
	ended, err := x.sessions.RevokeAll(ctx, ann)
	x.did(taken, operation{kind: revokesAll, user: ann, by: by, keepsNone: true, ended: ended, err: err, at: at})
}}

var toRevokeEveryone = act{"revokes everyone", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
	taken := x.run.Taken()
	err := x.sessions.RevokeEveryone(ctx)
	x.did(taken, operation{kind: refusesOld, err: err})
	x.did(taken, operation{kind: revokesEveryone, err: err})
}}

// toDelete ends a session as it is done over plain scs: the application knows
// which tokens were issued for it, and deletes them.
func toDelete(at browser) act {
	return act{"revokes it", func(x *exchange, _ http.ResponseWriter, ctx context.Context) {
		taken := x.run.Taken()
		x.run.Step(x.act.does)
		target := x.firstOf(at)
		for _, c := range x.issued {
			if c.session == target {
				x.must(x.visitors.Delete(c.cookie))
			}
		}
		x.did(taken, operation{kind: revokes, user: ann, by: nobody, target: target})
	}}
}
