package theatre

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A scene is one execution of a program.
type scene struct {
	*stage
	playing    bool             // it is not the opening
	jars       [browsers]string // the cookies that the browsers hold
	setBy      [browsers]setBy
	sent       [browsers]bool // a request
	signIns    []signIn
	issued     []issued
	renewals   []renewal
	renewers   []*exchange // that asked for a new token
	used       sessionSet  // whose newest cookie was used since it was issued
	moved      sessionSet  // from before, and moved by a node of plain scs
	closed     sessionSet  // that may live though no cookie opens them
	adopted    sessionSet  // that a request has found after it was adopted
	operations []operation
	requests   int
	ticks      int     // of the clock
	fault      failure // of the next call of a store
	faulty     bool    // a call of a store has failed
	wrong      error   // what cannot be right, whatever the order of the operations
}

// A sessionNo is a session of a scene, by its number among the sign-ins.
type sessionNo int

const nobody sessionNo = -1

// A signIn is how a session began.
type signIn struct {
	name    string
	user    string
	id      string    // the public id, once it is known
	holders []browser // those that may hold its cookie
	legacy  bool      // of plain scs: from before revoke came, or from a node without it
	goesOn  sessionNo // the session itself, or the one that was found to go on
}

// An issued value of the cookie is one that was given to a browser, or would
// have been. It is of a session or of nobody.
type issued struct {
	cookie  string
	session sessionNo
	step    int // in which it was
}

// A renewal may have made older cookies of a session stale from a step on: its user
// has proved who they are, or one of its newer cookies was used.
type renewal struct {
	session sessionNo
	step    int
	by      *exchange
}

// A role is what one of those who act at the same time does.
type role struct {
	does string
	play func(*scene)
}

// in is the role of a browser that sends one request after the other, the first
// of them before anything else has happened.
func in(at browser, acts ...act) role {
	var does []string
	for _, a := range acts {
		does = append(does, a.does)
	}
	return role{fmt.Sprintf("the %v %s", at, strings.Join(does, " and then ")), play(at, never, acts)}
}

// play sends one request after the other, each to a node of plain scs or not.
func play(at browser, toPlainNode func(i int) bool, acts []act) func(*scene) {
	return func(sc *scene) {
		name := fmt.Sprintf("request %c", 'A'+sc.requests)
		if at != laptop {
			name = fmt.Sprintf("the %v's %s", at, name)
		}
		sc.requests++
		sc.run.Go(name, func() {
			for i, a := range acts {
				if i > 0 {
					sc.run.Step("is followed by one that " + a.does)
				}
				sc.send(name, at, a, toPlainNode(i))
			}
		})
	}
}

// owner is the role of somebody who acts once, and is in no request.
func owner(a act) role {
	return role{"the owner " + a.does, func(sc *scene) {
		x := &exchange{scene: sc, name: "the owner", act: a, loaded: nobody}
		sc.run.Go(x.name, func() { a.do(x, nil, x.in(context.Background())) })
	}}
}

// sessionOf returns the session of a cookie.
func (sc *scene) sessionOf(cookie string) sessionNo {
	for _, c := range sc.issued {
		if c.cookie == cookie {
			return c.session
		}
	}
	return nobody
}

// firstOf returns the session that a browser had when the scene began.
func (sc *scene) firstOf(at browser) sessionNo { return sc.sessionOf(sc.opening.jars[at]) }

// isTouched reports whether a session from before revoke came may be another than it
// was when the scene began.
func (sc *scene) isTouched(n sessionNo) bool {
	return int(n) >= len(sc.opening.signIns) || slices.ContainsFunc(sc.operations, func(op operation) bool {
		return op.kind >= revokesAll && op.err == nil || op.kind < revokesAll && op.target == n
	})
}

// tick returns the time, which is later than that of any other tick, for the
// application too: it tells microseconds apart.
func (sc *scene) tick() int {
	for now := time.Now().UnixMicro(); now == time.Now().UnixMicro(); {
	}
	sc.ticks++
	return sc.ticks
}

func (sc *scene) named(n sessionNo) string {
	if n == nobody {
		return "nobody"
	}
	return sc.signIns[n].name
}

// oldID returns the id of the session that an old cookie is adopted as.
func (sc *scene) oldID(cookie string) string {
	key := cookie
	if sc.setting.hashed {
		sum := sha256.Sum256([]byte(cookie))
		key = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	sum := sha256.Sum256([]byte("revoke: id of an old session\x00" + key))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// tokenParts returns what the token of a session tells.
func tokenParts(token string) (user, id string, ok bool) {
	p := strings.Split(token, ".")
	if len(p) != 3 {
		return "", "", false
	}
	return p[0], p[1], true
}
