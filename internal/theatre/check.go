package theatre

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// check is what is to hold at the end of every scene.
func (sc *scene) check() error {
	if sc.wrong != nil {
		return sc.wrong
	}
	sc.fault = works
	for i := range sc.operations {
		if err := sc.resolve(&sc.operations[i]); err != nil {
			return err
		}
	}
	open, opened, err := sc.tryEveryCookie()
	if err != nil {
		return err
	}
	if bobs := sc.firstOf(desk); !sc.concerns(bobs) && opened[desk] != bobs {
		return errors.New("bob, to whom nothing was done, was signed out")
	}
	for _, user := range []string{ann, bob} {
		if n, limit := (open & sc.of(user)).len(), sc.setting.maxPerUser; limit > 0 && n > limit {
			return fmt.Errorf("%s has %d sessions, and may have %d", user, n, limit)
		}
	}
	if !sc.explain(sc.start(), open) {
		return fmt.Errorf("in no order is all of this true: %s", sc.told(open))
	}
	if sc.sessions == nil {
		return nil // plain scs promises its browsers nothing
	}
	return sc.signedOut(open, opened)
}

// tryEveryCookie tries each cookie that was ever issued. None may open a session
// whose end was answered, nor one that has data of it, and none a session of which a
// newer one was used. It returns the sessions that are open, and by whose browser.
func (sc *scene) tryEveryCookie() (open sessionSet, opened [browsers]sessionNo, err error) {
	for at := range opened {
		opened[at] = nobody
	}
	ends := sc.ends()
	for _, c := range sc.toTry() {
		legacy := c.session != nobody && sc.signIns[c.session].legacy
		if legacy && !sc.isTouched(c.session) {
			continue // to try it would be to adopt it
		}
		if c.cookie == sc.opening.jars[kiosk] && !sc.sent[kiosk] {
			continue // it is a visitor's, and takes long
		}
		if _, _, isToken := tokenParts(c.cookie); legacy && !isToken && sc.probe(sc.forged(c)).session != nobody {
			return open, opened, fmt.Errorf("a token made of the cookie of %v opens a session", sc.named(c.session))
		}
		p := sc.probe(c.cookie)
		for at, jar := range sc.jars {
			if jar == c.cookie {
				opened[at] = p.session
			}
		}
		switch {
		case p.session == nobody:
			continue
		case sc.sessions != nil && p.session != c.session:
			return open, opened, fmt.Errorf("the cookie of %v opens %v", sc.named(c.session), sc.named(p.session))
		case open.has(p.session) && sc.sessions == nil:
			return open, opened, fmt.Errorf("two cookies open %v", sc.named(p.session))
		case sc.used.has(p.session) && c.cookie != sc.newestOf(p.session) && !sc.comesBack(p.session):
			return open, opened, fmt.Errorf("an old cookie opens %v, of which a newer one was used", sc.named(p.session))
		}
		if c.cookie == sc.newestOf(p.session) {
			sc.used = sc.used.with(p.session)
		}
		open = open.with(p.session)
		for _, e := range ends {
			switch {
			case p.session == e.session && c.step <= e.step:
				return open, opened, fmt.Errorf("the old cookie opens /me again%s", sc.as(e.session))
			case p.session == e.session:
				return open, opened, fmt.Errorf("a new cookie opens /me%s", sc.as(e.session))
			case e.revoked && p.notes.has(e.session):
				return open, opened, &leakedData{sc, e.session, p.session}
			}
		}
	}
	return open, opened, nil
}

// toTry returns the cookies that were issued, in the order in which they are tried.
// To try one is to use it, so those come first that must open nothing, as a newer one
// was used, then those that the browsers hold, and then the newer before the older.
func (sc *scene) toTry() []issued {
	cookies := slices.Clone(sc.issued)
	slices.Reverse(cookies)
	rank := func(c issued) int {
		switch {
		case sc.used.has(c.session) && c.cookie != sc.newestOf(c.session):
			return 0
		case slices.Contains(sc.jars[:], c.cookie):
			return 1
		}
		return 2
	}
	slices.SortStableFunc(cookies, func(a, b issued) int { return cmp.Compare(rank(a), rank(b)) })
	return cookies
}

// forged returns the token that the holder of an old cookie can make of it.
func (sc *scene) forged(c issued) string {
	in := sc.signIns[c.session]
	ofUser, _, _ := strings.Cut(sc.opening.jars[laptop], ".")
	return ofUser + "." + in.id + "." + c.cookie
}

// comesBack reports whether the record of an old cookie may have been written again
// after a node of plain scs had moved it to another: an adoption that was under way
// writes its tag, under an idle timeout each use puts off its end, and no store of
// visitors writes under a condition.
func (sc *scene) comesBack(n sessionNo) bool { return sc.moved.has(n) }

// A leakedData is that of a session whose end was answered, in another.
type leakedData struct {
	*scene
	from, to sessionNo
}

func (e *leakedData) Error() string {
	return fmt.Sprintf("the data of %v, which had ended, is in %v", e.named(e.from), e.named(e.to))
}

// as tells which session is meant, if not the laptop's.
func (sc *scene) as(n sessionNo) string {
	if n == sc.firstOf(laptop) {
		return ""
	}
	return ", as " + sc.named(n)
}

// An end of a session is one that was answered, in a step. A session that was
// logged out may have ended before.
type end struct {
	session sessionNo
	step    int
	revoked bool
}

func (sc *scene) ends() (ends []end) {
	for _, op := range sc.operations {
		switch {
		case op.err != nil || op.unsure:
		case op.kind == logsOut || op.kind == revokes:
			ends = append(ends, end{op.target, op.last, op.kind == revokes})
		case op.kind == revokesAll:
			for n := range op.set.all() {
				ends = append(ends, end{n, op.last, true})
			}
		}
	}
	return ends
}

// concerns reports whether anything was done that may end a session.
func (sc *scene) concerns(n sessionNo) bool {
	return slices.ContainsFunc(sc.operations, func(op operation) bool {
		switch op.kind {
		case loads, adopts, renews, isRefused:
			return false
		case signsIn, begins:
			return sc.setting.maxPerUser > 0 && sc.signIns[op.target].user == sc.signIns[n].user
		case revokesEveryone:
			return true
		}
		return op.target == n
	})
}

// signedOut finds a session that lives, and whose browser no longer holds a
// cookie that opens any, for no good reason.
func (sc *scene) signedOut(open sessionSet, opened [browsers]sessionNo) error {
	for n := range open.all() {
		var lost *lostCookie
		for _, at := range sc.signIns[n].holders {
			if opened[at] != nobody || sc.mayLose(n, at) {
				lost = nil
				break
			}
			if lost == nil {
				lost = &lostCookie{n, sc.jars[at], sc.setBy[at].exchange}
			}
		}
		if lost != nil {
			return lost
		}
	}
	return nil
}

// mayLose reports whether a browser may have lost the cookie of a session: to a
// log-out of its own, to a visitor's session that it began with another cookie,
// or to one that was new when it was sent, and has arrived late.
func (sc *scene) mayLose(n sessionNo, at browser) bool {
	by, jar := sc.setBy[at], sc.jars[at]
	if sc.closed.has(n) {
		return true
	}
	if by.exchange != nil && by.newVisitor && sc.renewedTwice(n) {
		return true // to a request that was under way under the token before the last but one
	}
	if by.exchange == nil {
		return false
	}
	if sc.setting.idleTimeout > 0 && sc.signIns[n].legacy && jar == by.cookie && !by.wasRenewed {
		return true // it has put off the end of an old cookie, as plain scs does, which was renewed meanwhile
	}
	return by.signedOff || by.newVisitor && sc.sessionOf(by.cookie) != n || sc.setting.arrivals && jar != "" && jar != by.cookie
}

// renewedTwice reports whether a session was renewed twice in the scene.
func (sc *scene) renewedTwice(n sessionNo) bool {
	renewed := 0
	for _, c := range sc.issued[len(sc.opening.issued):] {
		if c.session == n {
			renewed++
		}
	}
	return renewed >= 2
}

// A lostCookie is that of a session which lives, and which a response has taken
// from its browser.
type lostCookie struct {
	session sessionNo
	jar     string // what the browser holds in its place
	by      *exchange
}

func (e *lostCookie) Error() string {
	if e.by == nil {
		return "a session lives, and its browser was not given the new cookie"
	}
	lives := e.by.named(e.session) + " lives, and its browser is signed out: "
	switch {
	case e.jar == "":
		return fmt.Sprintf("%sthe response to %s (it %s) has cleared the cookie", lives, e.by.name, e.by.act.does)
	case e.jar == e.by.cookie:
		return fmt.Sprintf("%sthe response to %s (it %s) has put the old cookie back", lives, e.by.name, e.by.act.does)
	}
	return fmt.Sprintf("%sthe cookie in the response to %s (it %s) opens nothing", lives, e.by.name, e.by.act.does)
}

// A probe is a request for the protected page, /me, when all is over.
type probe struct {
	*scene
	session sessionNo
	notes   sessionSet // those whose data is there
}

type probeKey struct{}

func (sc *scene) probe(cookie string) *probe {
	p := &probe{scene: sc, session: nobody}
	w := &response{header: make(map[string][]string), begins: func() {}}
	sc.handler.ServeHTTP(w, newExchangeRequest(context.WithValue(context.Background(), probeKey{}, p), cookie))
	return p
}

func (p *probe) look(ctx context.Context) {
	if p.session = p.sessionIn(p.sm, ctx); p.session == nobody {
		return
	}
	for n := range p.signIns {
		if p.sm.Exists(ctx, notes[n]) {
			p.notes = p.notes.with(sessionNo(n))
		}
	}
}

// notes are the keys of what the data of each session has from its sign-in on.
var notes = func() (keys [16]string) {
	for i := range keys {
		keys[i] = fmt.Sprintf("note %d", i)
	}
	return keys
}()
