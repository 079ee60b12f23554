package theatre

import (
	"context"
	"errors"
)

// A failure is how a call of a store fails.
type failure int

const (
	works        failure = iota
	fails                // the call has no effect
	answerIsLost         // it has, and nobody is told
	comesLate            // it has its effect at any time after it was given up on
)

func (f failure) String() string {
	return [...]string{"works", "fails", "loses its answer", "takes effect after it was given up on"}[f]
}

var errFault = errors.New("the store failed")

// aCall is the role of one call of a store by revoke, whichever comes next, that fails.
func aCall(how failure) role {
	return role{"a call of a store " + how.String(), func(sc *scene) {
		sc.run.Go("a store", func() {
			sc.run.Step("is about to fail: the next call " + how.String())
			sc.fault = how
		})
	}}
}

// call makes a call of a store, which is a step of whoever makes it.
func (s *stage) call(ctx context.Context, doing string, do func() error) error {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	if x != nil && doing == "" {
		doing = x.act.does
	}
	s.step(doing)
	isOfPlainSCS := x != nil && x.byPlainSCS() // which may lose a session itself if that fails
	if s.scene == nil || s.scene.fault == works || isOfPlainSCS {
		return do()
	}
	how := s.scene.fault
	s.scene.fault, s.scene.faulty = works, true
	if x != nil {
		x.faulty = true
	}
	switch how {
	case answerIsLost:
		_ = do()
	case comesLate:
		s.run.Go("a call that was given up on", func() {
			s.step("takes effect: " + doing)
			_ = do()
		})
	}
	return errFault
}
