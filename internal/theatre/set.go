package theatre

import (
	"iter"
	"math/bits"
)

// A sessionSet is a set of sessions, of which nobody is never one.
type sessionSet uint32

func (set sessionSet) has(n sessionNo) bool { return n != nobody && set&(1<<n) != 0 }
func (set sessionSet) len() int             { return bits.OnesCount32(uint32(set)) }
func (set sessionSet) with(n sessionNo) sessionSet {
	if n == nobody {
		return set
	}
	return set | 1<<n
}

func (set sessionSet) without(n sessionNo) sessionSet {
	if n == nobody {
		return set
	}
	return set &^ (1 << n)
}

func (set sessionSet) all() iter.Seq[sessionNo] {
	return func(yield func(sessionNo) bool) {
		for n := range sessionNo(32) {
			if set.has(n) && !yield(n) {
				return
			}
		}
	}
}
