package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// figures counts what happens. It is safe for concurrent use.
type figures struct {
	mu        sync.Mutex
	latencies map[string][]time.Duration // of answered requests, by operation
	lost      int                        // requests without an answer, or with 503
	revoked   int                        // sessions
	probes    int                        // of tokens that must open nothing
	survivors int                        // uses of tokens that must open their session
	faults    map[string]int
	wrong     []string
	wrongs    int
}

func newFigures() *figures {
	return &figures{latencies: make(map[string][]time.Duration), faults: make(map[string]int)}
}

func (f *figures) answered(operation string, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latencies[operation] = append(f.latencies[operation], took)
}

func (f *figures) add(counter *int, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*counter += n
}

func (f *figures) fault(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[name]++
}

// note takes down what is wrong; of many, the first.
func (f *figures) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wrongs++; f.wrongs <= 20 {
		f.wrong = append(f.wrong, fmt.Sprintf(format, args...))
	}
}

// table shows all but the wrong answers.
func (f *figures) table(lasting time.Duration) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	total := 0
	for _, l := range f.latencies {
		total += len(l)
	}
	fmt.Fprintf(&b, "requests answered      %d, %.0f a second for %v\n", total, float64(total)/lasting.Seconds(), lasting.Round(time.Second))
	fmt.Fprintf(&b, "requests lost          %d\n", f.lost)
	fmt.Fprintf(&b, "sessions revoked       %d\n", f.revoked)
	fmt.Fprintf(&b, "dead tokens refused    %d\n", f.probes)
	fmt.Fprintf(&b, "live tokens accepted   %d\n", f.survivors)
	var names []string
	for name := range f.faults {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "fault                  %s: %d times\n", name, f.faults[name])
	}
	fmt.Fprintf(&b, "\n%-14s %9s %9s %9s\n", "operation", "answers", "p50", "p99")
	names = names[:0]
	for name := range f.latencies {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		l := f.latencies[name]
		slices.Sort(l)
		at := func(share float64) time.Duration {
			return l[int(share*float64(len(l)-1))].Round(10 * time.Microsecond)
		}
		fmt.Fprintf(&b, "%-14s %9d %9v %9v\n", name, len(l), at(0.5), at(0.99))
	}
	return b.String()
}

// wrongAnswers says how many there were, a request that was lost while nothing
// was down included, and what they were.
func (f *figures) wrongAnswers() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "wrong answers          %d\n", f.wrongs)
	for _, wrong := range f.wrong {
		fmt.Fprintf(&b, "  %s\n", wrong)
	}
	return b.String()
}
