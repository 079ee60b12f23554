package storetest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/racedetector"
	"github.com/revoke-sessions/revoke/store"
)

// A store without a flaw passes.
func TestFlawless(t *testing.T) {
	Run(t, func() store.Store { return newFlawed("") })
	RunLeases(t, func() store.Store { return newFlawed("") })
}

// Every flaw is found by the cases that should find it, and every case finds one.
func TestFlaws(t *testing.T) {
	if racedetector.On {
		t.Skip("under the race detector this takes minutes, and shows no more")
	}
	patience = time.Second
	useless := make(map[string]bool)
	for name := range allCasesByName() {
		useless[name] = true
	}
	find := func(flaw string, finders []string, open func() store.Store) {
		for _, name := range finders {
			delete(useless, name)
			t.Run(flaw+"/"+name, func(t *testing.T) {
				t.Parallel()
				c, ok := allCasesByName()[name]
				if !ok {
					t.Fatal("there is no such case")
				}
				failure := outcome(t, c, open())
				if failure == "" {
					t.Error("the case passes")
				} else if !strings.Contains(failure, c.rule) {
					t.Errorf("the failure does not say which rule was broken: %s", failure)
				}
			})
		}
	}
	for flaw, finders := range flaws {
		find(flaw, finders, func() store.Store { return newFlawed(flaw) })
	}
	for flaw, twist := range twists {
		find(flaw, twist.finders, func() store.Store { return newTwisted(twist.twist) })
	}
	for name := range useless {
		t.Errorf("the case %q finds no flaw", name)
	}
}

func allCasesByName() map[string]testCase {
	cases := make(map[string]testCase)
	for _, s := range append(subjects, leases) {
		for _, c := range s.cases {
			cases[s.name+"/"+c.name] = c
		}
	}
	return cases
}

// outcome returns how a case fails, or nothing.
func outcome(t *testing.T, c testCase, st store.Store) string {
	observed := &observer{TB: t}
	again := func() store.Store { return st }
	if f, ok := st.(*flawed); ok {
		again = func() store.Store { return f.reopened() }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.try(observed, st, again)
	}()
	<-done
	return observed.failure
}

// An observer takes note of a failure in place of the test.
type observer struct {
	testing.TB
	failure string
}

func (o *observer) Helper() {}

func (o *observer) Fatalf(format string, args ...any) {
	o.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// The names that cases use are different, and few enough to be revoked without
// one being forgotten.
func TestOddNames(t *testing.T) {
	if n := len(oddNames); n > store.MaxTombstones {
		t.Errorf("there are %d odd names, and only %d tombstones", n, store.MaxTombstones)
	}
	sorted := slices.Sorted(slices.Values(oddNames))
	if unique := slices.Compact(slices.Clone(sorted)); len(unique) != len(sorted) {
		t.Errorf("%d of %d odd names are different", len(unique), len(sorted))
	}
}
