package storetest

import (
	"context"
	"errors"
	"iter"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// methodsVariable names the methods that the store under test has, if not all.
const methodsVariable = "STORETEST_METHODS"

// The store of docs/write-a-store.md passes.
func TestStore(t *testing.T) {
	smallest := NewSmallest()
	if methods, ok := os.LookupEnv(methodsVariable); ok {
		Run(t, func() store.Store { return unfinished{smallest, methods} })
		return
	}
	Run(t, func() store.Store { return smallest })
}

// After each step of docs/write-a-store.md its cases pass, though the other methods
// are still missing, and the steps together run every case.
func TestSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the suite once more")
	}
	text, err := os.ReadFile("../../docs/write-a-store.md")
	if err != nil {
		t.Fatal(err)
	}
	missing := make(map[string]bool)
	for _, s := range subjects {
		for _, c := range s.cases {
			missing["TestStore/"+s.name+"/"+strings.ReplaceAll(c.name, " ", "_")] = true
		}
	}
	methods := ""
	for _, row := range regexp.MustCompile("(?m)^\\| \\d+ \\| (.*) \\| `(.*)` \\|$").FindAllStringSubmatch(string(text), -1) {
		methods += row[1]
		pattern := strings.ReplaceAll(row[2], `\|`, "|")
		run := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run="+pattern)
		run.Env = append(os.Environ(), methodsVariable+"="+methods)
		out, err := run.CombinedOutput()
		if err != nil {
			t.Errorf("with %s, %s fails:\n%s", methods, pattern, failures(string(out)))
		}
		n := 0
		for _, passed := range regexp.MustCompile(`--- PASS: (TestStore/\w+/\S+)`).FindAllStringSubmatch(string(out), -1) {
			delete(missing, passed[1])
			n++
		}
		if n == 0 && !strings.Contains(string(out), "the store does not support it") {
			t.Errorf("%s runs nothing", pattern)
		}
	}
	for name, must := range missing {
		if must {
			t.Errorf("no step runs %s", name)
		}
	}
}

// failures returns what a test's output says of failures.
func failures(out string) string {
	lines := strings.Split(out, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool {
		return strings.Contains(line, "=== ") || strings.Contains(line, "--- PASS")
	}), "\n")
}

// unfinished is a store that lacks methods.
type unfinished struct {
	*Smallest
	methods string // in backquotes
}

var errUnfinished = errors.New("not written yet")

func (s unfinished) lacks(method string) error {
	if strings.Contains(s.methods, "`"+method+"`") {
		return nil
	}
	return errUnfinished
}

func (s unfinished) Find(ctx context.Context, user, id string) (store.Record, error) {
	if err := s.lacks("Find"); err != nil {
		return store.Record{}, err
	}
	return s.Smallest.Find(ctx, user, id)
}

func (s unfinished) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	if limit.Max > 0 && !strings.Contains(s.methods, "`Create` with a limit") {
		return nil, errUnfinished
	}
	return s.Smallest.Create(ctx, r, limit)
}

func (s unfinished) List(ctx context.Context, user string) ([]store.Record, error) {
	if err := s.lacks("List"); err != nil {
		return nil, err
	}
	return s.Smallest.List(ctx, user)
}

func (s unfinished) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	if err := s.lacks("Revoke"); err != nil {
		return store.Record{}, err
	}
	return s.Smallest.Revoke(ctx, user, id, why)
}

func (s unfinished) Update(ctx context.Context, r store.Record, was store.Hash) error {
	if err := s.lacks("Update"); err != nil {
		return err
	}
	return s.Smallest.Update(ctx, r, was)
}

func (s unfinished) Touch(ctx context.Context, user, id string, t store.Touch) error {
	if err := s.lacks("Touch"); err != nil {
		return err
	}
	return s.Smallest.Touch(ctx, user, id, t)
}

func (s unfinished) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error) {
	if err := s.lacks("RevokeAll"); err != nil {
		return nil, err
	}
	return s.Smallest.RevokeAll(ctx, user, keep, why)
}

func (s unfinished) RevokeEveryone(ctx context.Context) error {
	if err := s.lacks("RevokeEveryone"); err != nil {
		return err
	}
	return s.Smallest.RevokeEveryone(ctx)
}

func (s unfinished) RevokedEveryone(ctx context.Context) (time.Time, error) {
	if err := s.lacks("RevokedEveryone"); err != nil {
		return time.Time{}, err
	}
	return s.Smallest.RevokedEveryone(ctx)
}

func (s unfinished) All(ctx context.Context) iter.Seq2[store.Record, error] {
	if s.lacks("All") != nil {
		return func(yield func(store.Record, error) bool) { yield(store.Record{}, errors.ErrUnsupported) }
	}
	return s.Smallest.All(ctx)
}
