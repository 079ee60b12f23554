package explore

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// A Scenario is one run of a model, with what it must find.
type Scenario struct {
	// Rules names the protocol, or says what is left out of it: then the scenario is a
	// control, which must break.
	Rules string
	Name  string

	// Finds lists what must be found. A control may find more, and stops once it has
	// found these. Otherwise these are the limits of the protocol, and nothing else
	// may be found.
	Finds   []string
	Control bool

	Long bool // left out of short tests
	Run  func(until ...string) Result
}

func (s Scenario) run() Result {
	if s.Control {
		return s.Run(s.Finds...)
	}
	return s.Run()
}

// check returns what is wrong with a result, or "".
func (s Scenario) check(r Result) string {
	var b strings.Builder
	for _, what := range s.Finds {
		if _, found := r.Stories[what]; !found {
			fmt.Fprintf(&b, "not found: %s\n", what)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(r.Stories)) {
		if !s.Control && !slices.Contains(s.Finds, what) {
			fmt.Fprintf(&b, "%s:\n%s", what, tell(r.Stories[what]))
		}
	}
	return b.String()
}

func tell(story []string) string {
	var b strings.Builder
	for _, step := range story {
		fmt.Fprintf(&b, "        %s\n", step)
	}
	return b.String()
}

// Test runs each scenario as a test.
func Test(t *testing.T, scenarios []Scenario) {
	for _, s := range scenarios {
		t.Run(s.Rules+"/"+s.Name, func(t *testing.T) {
			if s.Long && testing.Short() {
				t.Skip("long")
			}
			t.Parallel()
			r := s.run()
			t.Logf("%d states", r.States)
			if wrong := s.check(r); wrong != "" {
				t.Errorf("after %d states:\n%s", r.States, wrong)
			}
		})
	}
}

// Print runs the scenarios whose rules or name contain a text, and tells what each
// finds. It reports whether all is as it must be.
func Print(w io.Writer, scenarios []Scenario, containing string) bool {
	all, right, rules := 0, true, ""
	var told []string
	for _, s := range scenarios {
		if !strings.Contains(s.Rules+"/"+s.Name, containing) {
			continue
		}
		if s.Rules != rules {
			rules, told = s.Rules, nil
			fmt.Fprintf(w, "\n=== %s\n", rules)
		}
		began := time.Now()
		r := s.run()
		all += r.States
		fmt.Fprintf(w, "%-64s %9d states %6.1fs\n", s.Name, r.States, time.Since(began).Seconds())
		for _, what := range slices.Sorted(maps.Keys(r.Stories)) {
			if slices.Contains(told, what) {
				fmt.Fprintf(w, "      %s, as above\n", what)
				continue
			}
			told = append(told, what)
			fmt.Fprintf(w, "      %s:\n%s", what, tell(r.Stories[what]))
		}
		if wrong := s.check(r); wrong != "" {
			right = false
			first, _, _ := strings.Cut(wrong, "\n")
			fmt.Fprintf(w, "      NOT AS IT MUST BE: %s\n", first)
		}
	}
	fmt.Fprintf(w, "\n%d states in all\n", all)
	return right
}
