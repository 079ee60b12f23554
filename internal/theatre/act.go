package theatre

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
	x.asksForToken()
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
	x.asksForToken()
	x.proves = true
	x.renewing(x.loaded)
	if err := x.sessions.Reauthenticated(ctx); errors.Is(err, revoke.ErrUnauthenticated) != (x.loaded == nobody) {
		x.fail("Reauthenticated answers %v", err)
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
			x.merges = true
			x.logsOutWhenSaved()
		}
	}}
}
