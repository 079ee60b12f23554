package theatre

import (
	"context"
	"net/http"
)

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
			x.asksForToken()
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
