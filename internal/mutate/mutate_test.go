//go:build unix

package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMutate shows every change to a line, in the body of a function that
// returns an error.
func TestMutate(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string
	}{
		{"if a { x() }", []string{"if false && (a) { x() }", "if true || (a) { x() }", "if a {  }"}},
		{"_ = a == b", []string{"", "_ = a != b"}},
		{"_ = a && b", []string{"", "_ = a || b"}},
		{"_ = !a", []string{"", "_ = a"}},
		{"a := true", []string{"a := false"}},
		{"n++", []string{""}},
		{"n = m + 1", []string{"", "n = m - 1"}},
		{"defer x()", []string{""}},
		{"c <- n", []string{""}},
		{"for { break }", []string{"for {  }"}},
		{"switch { case a: x() }", []string{"switch { case a:  }"}},
		{"select { case <-c: x() }", []string{"select { case <-c:  }"}},
		{"return err", []string{"return nil"}},
		{"return nil", nil},
		{"_ = func() int { return n }", []string{""}},
		{"_ = func() (int, error) { return n, err }", []string{"", "_ = func() (int, error) { return n, nil }"}},
		{"_ = func() { return }", []string{"", "_ = func() {  }"}},
	} {
		const before, after = "package p\nfunc f() error {\n", "\n}\n"
		mutants, err := mutate("p.go", []byte(before+test.line+after))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range mutants {
			if m.line != 3 {
				t.Errorf("%s: a change at line %d", test.line, m.line)
			}
			changed := strings.TrimPrefix(string(m.changed()), before)
			got = append(got, strings.TrimSuffix(changed, after))
		}
		slices.Sort(got)
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s becomes %q, not %q", test.line, got, test.want)
		}
	}
}

func TestSurvivors(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a package six times")
	}
	s := sample{pkg: "./testdata/tiny", tests: []string{"./testdata/tiny"}, size: 100, seed: 1, timeout: time.Minute}
	var out strings.Builder
	if err := s.run(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(got)
	want := []string{
		"6 of 6 changes tried: the tests found 4, and 2 survived",
		"testdata/tiny/tiny.go:10: without calls++",
		"testdata/tiny/tiny.go:12: nil in place of errEmpty",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

func TestTestsThatFailAlready(t *testing.T) {
	s := sample{pkg: "./testdata/tiny", tests: []string{"./testdata/missing"}, size: 1, timeout: time.Minute}
	if err := s.run(context.Background(), &strings.Builder{}); err == nil {
		t.Error("the sample was tried with tests that fail")
	}
}
