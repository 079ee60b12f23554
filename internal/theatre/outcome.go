package theatre

import (
	"errors"
	"net/http"
	"slices"

	"github.com/revoke-sessions/revoke"
)

// carriedOut notes what the save step has done, given how the request was answered.
func (x *exchange) carriedOut(status int) {
	switch status {
	case http.StatusOK:
		if x.asks && x.loaded != nobody && !x.byPlainSCS() {
			x.whenSaved = append(x.whenSaved, operation{kind: renews, by: x.loaded, target: x.loaded})
		}
	case http.StatusUnauthorized:
		x.refused()
	case http.StatusServiceUnavailable:
		x.unanswered()
	default:
		x.fail("%s was answered with %d", x.act.does, status)
	}
	for _, op := range x.whenSaved {
		x.did(x.saving, op)
	}
}

// refused notes that the response said that there is no session.
func (x *exchange) refused() {
	signIns := slices.DeleteFunc(slices.Clone(x.whenSaved), func(op operation) bool { return op.kind != signsIn })
	x.whenSaved = slices.DeleteFunc(x.whenSaved, func(op operation) bool { return op.kind == signsIn })
	switch {
	case len(signIns) > 0:
		why := signIns[0]
		why.kind, why.hadLoggedOut = isRefused, len(x.whenSaved) > 0
		x.whenSaved = append(x.whenSaved, why)
	case x.instead.kind == begins:
		x.whenSaved = append(x.whenSaved, operation{kind: isRefused, by: nobody, target: x.instead.target})
	case x.asks && x.loaded != nobody:
		x.whenSaved = append(x.whenSaved, operation{kind: isRefused, by: x.loaded, target: x.loaded})
	case x.merges && x.loaded != nobody:
		x.whenSaved = append(x.whenSaved, operation{kind: isRefused, by: x.loaded, target: x.loaded, hadLoggedOut: true})
	default:
		x.fail("%s was answered with 401", x.act.does)
	}
}

// unanswered notes that a store has failed, so that nobody knows what was done, or that
// a proof came too late.
func (x *exchange) unanswered() {
	if !x.faulty && !x.overtaken() {
		x.fail("%s was answered with 503", x.act.does)
	}
	x.whenSaved = slices.DeleteFunc(x.whenSaved, func(op operation) bool { return op.kind == signsIn })
	for i := range x.whenSaved {
		x.whenSaved[i].unsure = true
	}
	if n := x.sessionOf(x.cookie); x.ctx == nil && n != nobody && x.signIns[n].legacy {
		x.whenSaved = append(x.whenSaved, operation{kind: adopts, target: n, unsure: true})
	}
	for _, r := range x.renewals {
		if r.by == x {
			x.closed = x.closed.with(r.session)
		}
	}
}

// overtaken reports whether the user has proved who they are while another request
// renewed the session: that proof is not stored, and the answer says so.
func (x *exchange) overtaken() bool {
	renewed := func(other *exchange) bool { return other != x && other.loaded == x.loaded }
	ended := func(r renewal) bool { return r.session == x.loaded && r.by != nil && r.by != x }
	return x.proves && (slices.ContainsFunc(x.renewers, renewed) || slices.ContainsFunc(x.renewals, ended))
}

// isUsed notes that the session's newest cookie was used, if it was, from when on the
// one before does not open it any more.
func (x *exchange) isUsed(served bool) {
	if served && !x.faulty && !x.plain && x.loaded != nobody && x.cookie == x.newestOf(x.loaded) {
		x.used = x.used.with(x.loaded)
	}
}

// newestOf returns the cookie of a session that was issued last.
func (sc *scene) newestOf(n sessionNo) (cookie string) {
	for _, c := range sc.issued {
		if c.session == n {
			cookie = c.cookie
		}
	}
	return cookie
}

// firstCookie returns the cookie of a session that was issued first.
func (sc *scene) firstCookie(n sessionNo) string {
	i := slices.IndexFunc(sc.issued, func(c issued) bool { return c.session == n })
	if i < 0 {
		return ""
	}
	return sc.issued[i].cookie
}

// goesOnOrBegins returns the session of the cookie in the response to a log-in by a
// user who had one.
func (x *exchange) goesOnOrBegins(cookie string) sessionNo {
	had, begun := x.instead.by, x.instead.target
	if _, id, _ := tokenParts(cookie); cookie == "" || id == x.signIns[had].id {
		return had
	}
	x.signIns[begun].goesOn = begun
	x.whenSaved = append(x.whenSaved, x.instead)
	return begun
}

// did notes what was done in the steps that the request has taken since it had
// taken so many.
func (x *exchange) did(taken int, op operation) {
	if op.kind == logsOut || op.kind == revokes && op.err == nil && op.target == x.loaded {
		x.signedOff = true
	}
	switch { // a sign-in of this request comes after what it has revoked
	case op.kind == revokesAll && op.err == nil:
		x.began = op.at
	case op.kind == revokesEveryone && op.err == nil:
		x.began = x.tick()
	}
	op.exchange, op.began = x, x.began
	op.unsure = op.unsure || op.err != nil && x.faulty && !errors.Is(op.err, revoke.ErrNotFound) && !errors.Is(op.err, revoke.ErrUnauthenticated)
	op.first, op.last = x.run.Since(taken)
	x.operations = append(x.operations, op)
}

// asksForToken notes that the handler asks for a new token, which must not be dropped in
// silence.
func (x *exchange) asksForToken() {
	x.asks = true
	x.renewers = append(x.renewers, x)
}

// renewing notes that the request is about to make older cookies stale.
func (x *exchange) renewing(n sessionNo) {
	if n != nobody {
		x.renewals = append(x.renewals, renewal{n, len(x.run.Steps()), x})
	}
}
