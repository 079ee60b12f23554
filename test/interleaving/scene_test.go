package interleaving

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A scene is one execution of a program.
type scene struct {
	*stage
	playing    bool             // it is not the opening
	jars       [browsers]string // the cookies that the browsers hold
	setBy      [browsers]setBy
	signIns    []signIn
	issued     []issued
	renewals   []renewal
	operations []operation
	requests   int
	wrong      error // what cannot be right, whatever the order of the operations
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
	legacy  bool      // from before revoke came
}

// An issued value of the cookie is one that was given to a browser, or would
// have been. It is of a session or of nobody.
type issued struct {
	cookie  string
	session sessionNo
	step    int // in which it was
}

// A renewal may have made older cookies of a session stale from a step on.
type renewal struct {
	session sessionNo
	step    int
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
	return role{fmt.Sprintf("the %v %s", at, strings.Join(does, " and then ")), func(sc *scene) {
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
				sc.send(name, at, a)
			}
		})
	}}
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

// uses reports whether a browser has sent its first cookie in the scene.
func (sc *scene) uses(at browser) bool {
	return slices.ContainsFunc(sc.operations, func(op operation) bool { return op.kind == loads && op.target == sc.firstOf(at) })
}

func (sc *scene) named(n sessionNo) string {
	if n == nobody {
		return "nobody"
	}
	return sc.signIns[n].name
}

// tokenParts returns what the token of a session tells.
func tokenParts(token string) (user, id string, ok bool) {
	p := strings.Split(token, ".")
	if len(p) != 3 {
		return "", "", false
	}
	return p[0], p[1], true
}
