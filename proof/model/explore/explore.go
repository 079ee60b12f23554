// Package explore visits every state that a small model can be in, breadth first,
// and tells the shortest story that leads to each violation.
package explore

import (
	"hash/maphash"
	"slices"
	"strings"
)

// A Model says what may happen. S is all that there is to know about one moment; two
// moments that are equal go on in the same ways.
type Model[S comparable] struct {
	Start S

	// Next calls to.State for each state that may follow.
	Next func(s S, to *Steps[S])

	// Wrong calls violates for each invariant that does not hold in s.
	Wrong func(s S, violates func(what string))
}

// A Result says how many states were visited, and how each violation came about.
type Result struct {
	States  int
	Stories map[string][]string // the shortest story of each violation
}

// Run visits the states of m. If until is not empty, Run stops once it has seen each
// violation of that list.
func Run[S comparable](m Model[S], until ...string) Result {
	to := &Steps[S]{seed: maphash.MakeSeed(), slots: make([]int32, 1024)}
	result := Result{Stories: map[string][]string{}}
	left := len(until)
	at := 0
	violates := func(what string) {
		if _, told := result.Stories[what]; told {
			return
		}
		result.Stories[what] = story(m, to, at)
		if slices.Contains(until, what) {
			left--
		}
	}
	to.State(m.Start)
	m.Wrong(m.Start, violates)
	for i := 0; i < len(to.states) && (left > 0 || len(until) == 0); i++ {
		first := len(to.states)
		to.from = int32(i)
		m.Next(to.states[i], to)
		for at = first; at < len(to.states); at++ {
			m.Wrong(to.states[at], violates)
		}
	}
	result.States = len(to.states)
	return result
}

// story says step by step how state i was reached. Labels are not kept: each step is
// taken again, to hear what it is called.
func story[S comparable](m Model[S], to *Steps[S], i int) []string {
	var labels []string
	for i > 0 {
		again := Steps[S]{sought: &to.states[i]}
		i = int(to.parents[i])
		m.Next(to.states[i], &again)
		labels = append(labels, again.label)
	}
	slices.Reverse(labels)
	return labels
}

// Steps takes the states that follow one state.
type Steps[S comparable] struct {
	states  []S
	parents []int32
	from    int32 // the parent of what comes

	slots []int32 // a hash table: 1 + the index of a state, or 0
	seed  maphash.Seed

	sought *S // if not nil, only the step to this state is of interest
	label  string
}

// State adds a state that follows. The words say what happened.
func (to *Steps[S]) State(s S, words ...string) {
	if to.sought != nil {
		if s == *to.sought && to.label == "" {
			to.label = strings.TrimSpace(strings.Join(words, " "))
		}
		return
	}
	slot := to.find(s)
	if *slot != 0 {
		return
	}
	to.states = append(to.states, s)
	to.parents = append(to.parents, to.from)
	*slot = int32(len(to.states))
	if 2*len(to.states) > len(to.slots) {
		to.grow()
	}
}

// find returns the slot that s has, or would have.
func (to *Steps[S]) find(s S) *int32 {
	mask := uint64(len(to.slots) - 1)
	for i := maphash.Comparable(to.seed, s) & mask; ; i = (i + 1) & mask {
		if n := to.slots[i]; n == 0 || to.states[n-1] == s {
			return &to.slots[i]
		}
	}
}

func (to *Steps[S]) grow() {
	to.slots = make([]int32, 2*len(to.slots))
	for i, s := range to.states {
		*to.find(s) = int32(i + 1)
	}
}
