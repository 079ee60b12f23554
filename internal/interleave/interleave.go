// Package interleave runs small concurrent programs in every order in which
// their steps can be taken.
//
// It is a stateless model checker, after VeriSoft (Godefroid, "Model checking
// for programming languages using VeriSoft", POPL 1997): for each order the
// program is run anew, from its start, and nothing is kept but the choices that
// were made. A process is a coroutine, so that no two run at once, and nothing
// but the choices decides what happens.
//
// The orders of a program grow with the factorial of its steps. If they are too many,
// Within takes those in which few processes are interrupted, after CHESS (Musuvathi
// and Qadeer, "Iterative context bounding for systematic testing of multithreaded
// programs", PLDI 2007): most errors need one interruption or two.
package interleave

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
)

// A Program starts the processes of one execution, by [Run.Go], and returns
// what is to hold when all have ended. It must do the same every time: only the
// order of the steps may differ from one execution to another.
type Program func(*Run) (check func() error)

// A Result is what became of a program.
type Result struct {
	Orders  int      // how many there are
	Failed  int      // how many of them failed their check
	Failure *Failure // the failure that is told in the fewest words, or nil
}

// All runs a program in every order in which the steps of its processes can be
// taken.
func All(program Program) Result { return Within(math.MaxInt, program) }

// Within runs a program in every order in which a process is interrupted at most so
// many times: another one takes the next step though it has not ended.
func Within(interruptions int, program Program) (result Result) {
	var choices []choice
	var idle coroutines
	defer idle.stop()
	for {
		r := execute(program, interruptions, &choices, &idle)
		result.Orders++
		if err := r.check(); err != nil {
			result.Failed++
			if f := (&Failure{Err: err, Steps: r.steps}); f.Simpler(result.Failure) {
				result.Failure = f
			}
		}
		for len(choices) > 0 && choices[len(choices)-1].last() {
			choices = choices[:len(choices)-1]
		}
		if len(choices) == 0 {
			return result
		}
		choices[len(choices)-1].taken++
	}
}

// A choice is which of the processes that could take the next step took it.
type choice struct{ taken, of int }

func (c choice) last() bool { return c.taken+1 == c.of }

// execute repeats the choices that are given, and from there on makes the first
// one, which it adds.
func execute(program Program, interruptions int, choices *[]choice, idle *coroutines) *Run {
	r := &Run{idle: idle, interruptions: interruptions}
	r.check = program(r)
	for depth := 0; ; depth++ {
		ready := r.ready()
		switch {
		case len(ready) == 0 && depth < len(*choices), len(ready) > 0 && depth < len(*choices) && len(ready) != (*choices)[depth].of:
			panic("interleave: the program is not the same every time: " + Failure{Steps: r.steps}.String())
		case len(ready) == 0:
			return r
		case depth == len(*choices):
			*choices = append(*choices, choice{0, len(ready)})
		}
		r.take(ready[(*choices)[depth].taken])
	}
}

// A Run is one execution of a program.
type Run struct {
	check     func() error
	processes []*process
	waiting   []*process // of these, in the order of their start, those that have not ended
	running   *process
	last      *process // that has taken a step
	steps     []Step
	idle      *coroutines

	interruptions int // that are left
}

// A Step is what a process did from one call of [Run.Step] to the next.
type Step struct {
	Process string // its name
	Doing   string // as it has said to Step
}

func (s Step) String() string { return s.Process + " " + s.Doing }

type process struct {
	name  string
	run   *coroutine
	doing string // its next step
	taken []int  // at which places its steps are among all
}

// Go adds a process, of the program or by one of its processes. Up to its first
// step it must not touch what it shares with others.
func (r *Run) Go(name string, f func()) {
	r.processes = append(r.processes, &process{name: name, run: r.idle.start(f)})
}

// Step ends a step of the process that calls it, and returns when the order has
// come to its next one, of which doing says what it does, as in "writes". Called
// by none of the processes, it returns at once.
func (r *Run) Step(doing string) {
	if r.running != nil {
		r.running.run.yield(pause{doing: doing})
	}
}

// Steps returns the steps that were taken up to now.
func (r *Run) Steps() []Step { return r.steps }

// Taken returns how many steps the process that calls it has taken.
func (r *Run) Taken() int {
	if r.running == nil {
		return 0
	}
	return len(r.running.taken)
}

// Since returns, among the steps of all processes, the first and the last that
// the process that calls it has taken since it had taken so many. If it has
// taken none, both are the one that it is in.
func (r *Run) Since(taken int) (first, last int) {
	last = len(r.steps) - 1
	if r.running == nil || taken >= len(r.running.taken) {
		return last, last
	}
	return r.running.taken[taken], last
}

// ready returns the processes that may take the next step: those that have not
// ended, or, if none may be interrupted any more, the one that took the last.
func (r *Run) ready() []*process {
	for len(r.processes) > 0 {
		started := r.processes
		r.processes = nil
		for _, p := range started {
			r.waiting = append(r.waiting, p)
			r.resume(p)
		}
	}
	if r.interruptions == 0 && slices.Contains(r.waiting, r.last) {
		return []*process{r.last}
	}
	return r.waiting
}

// take takes the next step of a process.
func (r *Run) take(p *process) {
	if p != r.last && slices.Contains(r.waiting, r.last) {
		r.interruptions--
	}
	r.last = p
	p.taken = append(p.taken, len(r.steps))
	r.steps = append(r.steps, Step{p.name, p.doing})
	r.resume(p)
}

func (r *Run) resume(p *process) {
	r.running = p
	at, _ := p.run.next()
	r.running = nil
	if p.doing = at.doing; !at.ended {
		return
	}
	*r.idle = append(*r.idle, p.run)
	for i := range r.waiting {
		if r.waiting[i] == p {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			return
		}
	}
}

// A coroutine runs one function after the other: to start one takes longer than
// most steps do.
type coroutine struct {
	f     func()
	next  func() (pause, bool)
	yield func(pause) bool
	stop  func()
}

// A pause is where a coroutine has stopped: before a step, or at the end of its
// function.
type pause struct {
	doing string
	ended bool
}

type coroutines []*coroutine

// start returns a coroutine that will run f.
func (idle *coroutines) start(f func()) *coroutine {
	if n := len(*idle); n > 0 {
		c := (*idle)[n-1]
		*idle = (*idle)[:n-1]
		c.f = f
		return c
	}
	c := &coroutine{f: f}
	c.next, c.stop = iter.Pull(func(yield func(pause) bool) {
		c.yield = yield
		for more := true; more; more = yield(pause{ended: true}) {
			c.f()
		}
	})
	return c
}

func (idle *coroutines) stop() {
	for _, c := range *idle {
		c.stop()
	}
}

// A Failure is an order of steps after which the check of a program failed.
type Failure struct {
	Steps []Step
	Err   error
}

// Simpler reports whether f is told in fewer words than another failure, or
// than none: whether it has fewer steps, or as many and fewer changes from one
// process to another.
func (f *Failure) Simpler(than *Failure) bool {
	switch {
	case than == nil:
		return true
	case len(f.Steps) != len(than.Steps):
		return len(f.Steps) < len(than.Steps)
	}
	return f.changes() < than.changes()
}

func (f *Failure) changes() (n int) {
	for i := 1; i < len(f.Steps); i++ {
		if f.Steps[i].Process != f.Steps[i-1].Process {
			n++
		}
	}
	return n
}

// String tells the failure as a story: the steps in their order, and what came
// of them.
func (f Failure) String() string {
	var b strings.Builder
	for _, s := range f.Steps {
		fmt.Fprintf(&b, "%v · ", s)
	}
	fmt.Fprint(&b, f.Err)
	return b.String()
}
