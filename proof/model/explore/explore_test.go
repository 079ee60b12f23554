package explore_test

import (
	"slices"
	"testing"

	"github.com/revoke-sessions/revoke/proof/model/explore"
)

// Two jugs, of three and five liters: the riddle whose shortest answer is known.
func TestShortestStory(t *testing.T) {
	type jugs struct{ three, five int }
	result := explore.Run(explore.Model[jugs]{
		Next: func(s jugs, to *explore.Steps[jugs]) {
			to.State(jugs{3, s.five}, "fill the three")
			to.State(jugs{s.three, 5}, "fill the five")
			to.State(jugs{0, s.five}, "empty the three")
			to.State(jugs{s.three, 0}, "empty the five")
			poured := min(s.three, 5-s.five)
			to.State(jugs{s.three - poured, s.five + poured}, "pour the three", "into the five")
			poured = min(s.five, 3-s.three)
			to.State(jugs{s.three + poured, s.five - poured}, "pour the five", "into the three")
		},
		Wrong: func(s jugs, violates func(string)) {
			if s.five == 4 {
				violates("four liters")
			}
		},
	})
	if result.States != 16 {
		t.Errorf("%d states, want 16", result.States)
	}
	want := []string{"fill the five", "pour the five into the three", "empty the three",
		"pour the five into the three", "fill the five", "pour the five into the three"}
	if got := result.Stories["four liters"]; !slices.Equal(got, want) {
		t.Errorf("the story is %q, want %q", got, want)
	}
}

// It stops early only if it is told when.
func TestUntil(t *testing.T) {
	model := explore.Model[int]{
		Next: func(s int, to *explore.Steps[int]) {
			if s < 10_000 {
				to.State(s+1, "one more")
			}
		},
		Wrong: func(s int, violates func(string)) {
			if s == 7 {
				violates("seven")
			}
		},
	}
	if all := explore.Run(model).States; all != 10_001 {
		t.Errorf("%d states, want 10,001", all)
	}
	if few := explore.Run(model, "seven").States; few != 8 {
		t.Errorf("%d states until seven, want 8", few)
	}
}
