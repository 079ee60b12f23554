package revoke_test

import (
	"errors"

	"github.com/revoke-sessions/revoke/internal/interleave"
)

// A defect of the library is known where TestEveryInterleaving expects it. Who
// mends it removes it here, and the test then guards against its return.
type defect struct {
	name string
	is   func(*scene, error) bool
}

var known = []defect{
	{"a response clears a dead cookie, though the browser may hold that of a newer session by then", func(sc *scene, err error) bool {
		lost := lostToResponse(err)
		return lost != nil && lost.jar == "" && sc.sessionOf(lost.by.cookie) != lost.session
	}},
	{"a response repeats the cookie of its request, though the browser may hold a newer one by then", func(_ *scene, err error) bool {
		lost := lostToResponse(err)
		return lost != nil && lost.jar != "" && lost.jar == lost.by.cookie
	}},
	{"a response sets the cookie of a session that it has adopted, though a renewal may have replaced it by then", func(sc *scene, err error) bool {
		lost := lostToResponse(err)
		return lost != nil && lost.jar != "" && lost.by.cookie == sc.opening.jars[attic]
	}},
}

func lostToResponse(err error) *lostCookie {
	var lost *lostCookie
	if !errors.As(err, &lost) || lost.by == nil {
		return nil
	}
	return lost
}

// unlessKnown passes on the failure of a scene that shows no known defect, and
// keeps the others.
func (sc *scene) unlessKnown(err error) error {
	if err == nil {
		return nil
	}
	for i := range known {
		if d := &known[i]; d.is(sc, err) {
			sc.expected[d] = sc.expected[d].and(sighted{1, &interleave.Failure{Steps: sc.run.Steps(), Err: err}})
			return nil
		}
	}
	return err
}

// A sighted defect is what was seen of it.
type sighted struct {
	orders   int
	simplest *interleave.Failure
}

func (seen sighted) and(more sighted) sighted {
	seen.orders += more.orders
	if more.simplest != nil && more.simplest.Simpler(seen.simplest) {
		seen.simplest = more.simplest
	}
	return seen
}
