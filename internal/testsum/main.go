// Command testsum reads what go test -json writes. It prints what go test prints
// without that flag, and then how many tests passed, failed and were skipped:
//
//	go test -json ./... | go run ./internal/testsum
//
// It counts the functions of the test files, not what they run in t.Run. A
// package that fails outside of a test counts as one that failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	failed, err := summarize(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

// An event is a line of go test -json.
type event struct {
	Action, Package, Test, Output string
}

// A result is what is known of a package, or of a test of it.
type result struct {
	output []string
	action string    // pass, fail or skip; "" until it has ended
	tests  []*result // in the order in which they began
	byName map[string]*result
	inner  bool // run by t.Run
}

type counts struct{ passed, failed, skipped int }

// summarize reports whether anything failed.
func summarize(in io.Reader, out io.Writer) (bool, error) {
	var total counts
	packages := make(map[string]*result)
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if err != nil && err != io.EOF {
			return true, err
		}
		var e event
		switch {
		case json.Unmarshal([]byte(line), &e) != nil:
			io.WriteString(out, line) // of the go command itself
		case e.Action == "build-output":
			io.WriteString(out, e.Output)
		case e.Package != "":
			p := packages[e.Package]
			if p == nil {
				p = &result{byName: make(map[string]*result)}
				packages[e.Package] = p
			}
			if p.note(e); p.action != "" {
				p.print(out)
				total.add(p)
				delete(packages, e.Package)
			}
		}
		if err == io.EOF {
			break
		}
	}
	for name := range packages {
		fmt.Fprintf(out, "FAIL\t%s has not ended\n", name)
		total.failed++
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", total.passed, total.failed, total.skipped)
	return total.failed > 0, nil
}

// note takes in an event of the package p.
func (p *result) note(e event) {
	r := p
	if e.Test != "" {
		if r = p.byName[e.Test]; r == nil {
			r = &result{inner: strings.Contains(e.Test, "/")}
			p.byName[e.Test] = r
			p.tests = append(p.tests, r)
		}
	}
	switch e.Action {
	case "pass", "fail", "skip":
		r.action = e.Action
	case "output":
		r.output = append(r.output, e.Output)
	}
}

// passed reports whether a test needs no word. One that has not ended when its
// package has was cut short.
func (r *result) passed() bool { return r.action == "pass" || r.action == "skip" }

// print writes what the tests that failed have said, and the package's own lines.
func (p *result) print(out io.Writer) {
	said := slices.DeleteFunc(slices.Clone(p.tests), (*result).passed)
	for _, r := range append(said, p) {
		for _, line := range r.output {
			if !strings.HasPrefix(line, "=== ") && line != "PASS\n" {
				io.WriteString(out, line)
			}
		}
	}
}

func (c *counts) add(p *result) {
	before := c.failed
	for _, r := range p.tests {
		switch {
		case r.inner:
		case r.action == "pass":
			c.passed++
		case r.action == "skip":
			c.skipped++
		default:
			c.failed++
		}
	}
	if p.action == "fail" && c.failed == before {
		c.failed++
	}
}
