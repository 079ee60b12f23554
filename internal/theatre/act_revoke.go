package theatre

import (
	"context"
	"errors"
	"net/http"

	"github.com/revoke-sessions/revoke"
)

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
