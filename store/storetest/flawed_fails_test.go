package storetest

import "time"

// fails reports whether the call's context ends while a database works for it.
func (s *flawed) fails(flaw string) bool {
	if !s.is(flaw) {
		return false
	}
	time.Sleep(20 * time.Microsecond)
	return s.ctx.Err() != nil
}
