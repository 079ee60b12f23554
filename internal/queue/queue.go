// Package queue delivers values in the background, so that whoever sends them
// never waits.
package queue

import (
	"context"
	"sync"
)

// A Queue passes values to a function, one after the other, in a goroutine of its
// own, which ends when nothing is left. Urgent values go first, and have room of
// their own. Neither a panic of the function nor a [runtime.Goexit] in it stops
// the values that follow.
//
// Set all of its fields before the first call. Its methods are safe for concurrent
// use.
type Queue[T any] struct {
	Limit   int            // how many values may wait: so many urgent ones, and so many others
	Deliver func(T)        // the function
	Failed  func(T, any)   // Deliver panicked with that; nil means that it called runtime.Goexit
	Dropped func(lost int) // so many values found no room since Dropped was called last

	mu       sync.Mutex
	urgent   []func()
	ordinary []func()
	lost     int
	running  bool
}

// Send passes v on to Deliver soon, or drops it if too many values wait. It does
// not block.
func (q *Queue[T]) Send(v T, urgent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := &q.ordinary
	if urgent {
		line = &q.urgent
	}
	if len(*line) >= q.Limit {
		q.lost++
		return
	}
	q.add(line, func() { q.deliver(v) })
}

// Flush waits until Deliver has returned from every value that was sent before,
// or else returns the error of ctx. It must not be called from Deliver.
func (q *Queue[T]) Flush(ctx context.Context) error {
	flushed := make(chan struct{})
	q.mu.Lock()
	q.add(&q.ordinary, func() { close(flushed) }) // urgent values go before it
	q.mu.Unlock()
	select {
	case <-flushed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add is called with the lock held.
func (q *Queue[T]) add(line *[]func(), do func()) {
	*line = append(*line, do)
	if !q.running {
		q.running = true
		go q.run()
	}
}

func (q *Queue[T]) run() {
	finished := false
	defer func() {
		if !finished {
			go q.run() // runtime.Goexit ends this goroutine: another takes over
		}
	}()
	for do := q.next(); do != nil; do = q.next() {
		do()
	}
	finished = true
}

// next returns what to do next, or nil if run is to end.
func (q *Queue[T]) next() func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := len(q.urgent) + len(q.ordinary)
	switch {
	case q.lost > 0 && (waiting == 0 || q.lost >= q.Limit): // one report of many
		lost := q.lost
		q.lost = 0
		return func() { q.Dropped(lost) }
	case len(q.urgent) > 0:
		return first(&q.urgent)
	case len(q.ordinary) > 0:
		return first(&q.ordinary)
	}
	q.running = false
	return nil
}

// first takes the first one out of a line.
func first(line *[]func()) func() {
	do := (*line)[0]
	(*line)[0] = nil // what it holds can be collected
	*line = (*line)[1:]
	return do
}

func (q *Queue[T]) deliver(v T) {
	returned := false
	defer func() {
		if reason := recover(); !returned {
			q.Failed(v, reason)
		}
	}()
	q.Deliver(v)
	returned = true
}
