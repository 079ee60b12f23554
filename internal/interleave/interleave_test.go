package interleave_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke/internal/interleave"
)

// straight is a process of so many steps, each of which it writes down.
func straight(r *interleave.Run, name string, steps int, trace *[]string) {
	r.Go(name, func() {
		for i := range steps {
			r.Step(fmt.Sprint(i))
			*trace = append(*trace, name+fmt.Sprint(i))
		}
	})
}

// TestEveryOrderOnce shows that straight-line programs of m, n, … steps are run
// in exactly (m+n+…)! / m! n! … orders, no two of them the same.
func TestEveryOrderOnce(t *testing.T) {
	for _, test := range []struct {
		steps []int
		want  int
	}{
		{nil, 1},
		{[]int{0}, 1},
		{[]int{5}, 1},
		{[]int{1, 1}, 2},
		{[]int{2, 3}, 10},
		{[]int{5, 5}, 252},
		{[]int{4, 0, 3}, 35},
		{[]int{2, 2, 2}, 90},
		{[]int{1, 2, 3, 4}, 12600},
	} {
		seen := make(map[string]bool)
		result := interleave.All(func(r *interleave.Run) func() error {
			var trace []string
			for i, n := range test.steps {
				straight(r, string(rune('a'+i)), n, &trace)
			}
			return func() error {
				story := strings.Join(trace, " ")
				if seen[story] {
					return errors.New("seen before")
				}
				seen[story] = true
				return nil
			}
		})
		if result.Orders != test.want || len(seen) != test.want || result.Failure != nil {
			t.Errorf("%v steps: %d orders, of which %d differ, want %d; %v", test.steps, result.Orders, len(seen), test.want, result.Failure)
		}
	}
}

// TestInterruptions shows that the orders with few interruptions are those, each
// once, and all orders if there may be many.
func TestInterruptions(t *testing.T) {
	steps := []int{2, 2, 1}
	program := func(seen map[string]bool) interleave.Program {
		return func(r *interleave.Run) func() error {
			var trace []string
			for i, n := range steps {
				straight(r, string(rune('a'+i)), n, &trace)
			}
			return func() error {
				seen[strings.Join(trace, " ")] = true
				return nil
			}
		}
	}
	all := make(map[string]bool)
	interleave.All(program(all))
	for most := range 4 {
		want := 0
		for story := range all {
			if interruptions(story, steps) <= most {
				want++
			}
		}
		seen := make(map[string]bool)
		result := interleave.Within(most, program(seen))
		if result.Orders != want || len(seen) != want {
			t.Errorf("at most %d interruptions: %d orders, of which %d differ, want %d", most, result.Orders, len(seen), want)
		}
		if most == 0 && want != 6 || most == 3 && want != len(all) {
			t.Errorf("at most %d interruptions: %d of %d orders", most, want, len(all))
		}
	}
}

// interruptions counts in a story how often a process had steps left when another
// went on.
func interruptions(story string, steps []int) (n int) {
	taken := make([]int, len(steps))
	last := -1
	for step := range strings.FieldsSeq(story) {
		p := int(step[0] - 'a')
		if last >= 0 && p != last && taken[last] < steps[last] {
			n++
		}
		taken[p]++
		last = p
	}
	return n
}

// TestProcessStartsProcess shows that the steps of a process that another one
// starts come after its start and anywhere from there on.
func TestProcessStartsProcess(t *testing.T) {
	seen := make(map[string]bool)
	result := interleave.All(func(r *interleave.Run) func() error {
		var trace []string
		r.Go("a", func() {
			r.Step("starts b")
			trace = append(trace, "start")
			straight(r, "b", 2, &trace)
			r.Step("goes on")
			trace = append(trace, "on")
		})
		return func() error {
			seen[strings.Join(trace, " ")] = true
			return nil
		}
	})
	if want := []string{"start b0 b1 on", "start b0 on b1", "start on b0 b1"}; result.Orders != len(want) || len(seen) != len(want) || !seen[want[0]] || !seen[want[1]] || !seen[want[2]] {
		t.Errorf("%d orders: %v", result.Orders, seen)
	}
}

// TestLostUpdate shows the failure that is told: of two that read, add one and
// write, the second reads before the first has written.
func TestLostUpdate(t *testing.T) {
	count := func(r *interleave.Run) func() error {
		shared := 0
		for _, name := range []string{"ann", "bob"} {
			r.Go(name, func() {
				r.Step("reads")
				mine := shared
				r.Step("writes")
				shared = mine + 1
			})
		}
		r.Go("cat", func() { r.Step("sleeps") })
		return func() error {
			if shared != 2 {
				return fmt.Errorf("counted %d", shared)
			}
			return nil
		}
	}
	result := interleave.All(count)
	if result.Orders != 30 || result.Failed != 20 { // in 2 of 6 orders of the four that matter none is lost
		t.Errorf("%d of %d orders failed", result.Failed, result.Orders)
	}
	const want = "ann reads · bob reads · bob writes · ann writes · cat sleeps · counted 1"
	if got := fmt.Sprint(result.Failure); got != want {
		t.Errorf("told as %s, want %s", got, want)
	}
}

// TestSince shows what a process is told about the places of its steps among all.
func TestSince(t *testing.T) {
	interleave.All(func(r *interleave.Run) func() error {
		var all []string
		var at []int
		var none, outside [2]int
		r.Go("a", func() {
			r.Step("first")
			all = append(all, "first")
			taken := r.Taken()
			none[0], none[1] = r.Since(taken)
			for _, doing := range []string{"second", "third"} {
				r.Step(doing)
				all = append(all, doing)
			}
			first, last := r.Since(taken)
			at = []int{none[0], first, last}
		})
		straight(r, "b", 3, &all)
		return func() error {
			r.Step("nobody's")
			outside[0], outside[1] = r.Since(r.Taken())
			want := []int{slices.Index(all, "first"), slices.Index(all, "second"), slices.Index(all, "third")}
			if !slices.Equal(at, want) || none[0] != none[1] || outside != [2]int{4, 4} && len(all) == 5 {
				t.Errorf("%v: told %v, want %v", all, at, want)
			}
			return nil
		}
	})
}

func TestProgramThatChanges(t *testing.T) {
	defer func() {
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "not the same every time") {
			t.Errorf("recovered %v", v)
		}
	}()
	times := 0
	interleave.All(func(r *interleave.Run) func() error {
		times++
		var trace []string
		straight(r, "a", 2, &trace)
		if times == 1 {
			straight(r, "b", 2, &trace)
		}
		return func() error { return nil }
	})
	t.Error("not noticed")
}

func TestSimpler(t *testing.T) {
	failure := func(processes string) *interleave.Failure {
		f := &interleave.Failure{Err: errors.New("wrong")}
		for _, name := range processes {
			f.Steps = append(f.Steps, interleave.Step{Process: string(name), Doing: "acts"})
		}
		return f
	}
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"ab", "aab", true},
		{"aab", "ab", false},
		{"aabb", "abab", true},
		{"abab", "aabb", false},
		{"ab", "ba", false},
	} {
		if got := failure(test.a).Simpler(failure(test.b)); got != test.want {
			t.Errorf("%s simpler than %s: %v", test.a, test.b, got)
		}
	}
	if !failure("a").Simpler(nil) {
		t.Error("a failure is simpler than none")
	}
	if got := failure("ab").String(); got != "a acts · b acts · wrong" {
		t.Errorf("told as %q", got)
	}
}
