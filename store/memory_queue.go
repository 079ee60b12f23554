package store

import (
	"container/heap"
	"time"
)

// A queue is a heap of entries, the next to expire first. It grows by one chunk
// at a time, never by moving what it holds. An entry that is given a later
// expiry keeps its place until that comes up, which makes a touch cheap.
type queue struct {
	chunks []*[chunkSize]queued
	n      int
}

type queued struct {
	at int64 // in microseconds since 1970
	*entry
}

const chunkSize = 256

func (q *queue) slot(i int) *queued { return &q.chunks[i/chunkSize][i%chunkSize] }
func (q *queue) Len() int           { return q.n }
func (q *queue) Less(i, j int) bool { return q.slot(i).at < q.slot(j).at }

func (q *queue) Swap(i, j int) {
	a, b := q.slot(i), q.slot(j)
	*a, *b = *b, *a
	a.place, b.place = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	if q.n == len(q.chunks)*chunkSize {
		q.chunks = append(q.chunks, new([chunkSize]queued))
	}
	e.place = q.n
	q.n++
	*q.slot(e.place) = queued{e.times[expires], e}
}

func (q *queue) Pop() any {
	q.n--
	last := q.slot(q.n)
	e := last.entry
	*last = queued{}
	if spare := len(q.chunks) - 1; q.n <= (spare-1)*chunkSize {
		q.chunks[spare] = nil
		q.chunks = q.chunks[:spare]
	}
	return e
}

func (q *queue) add(e *entry)    { heap.Push(q, e) }
func (q *queue) remove(e *entry) { heap.Remove(q, e.place) }

// due returns an entry whose time in the queue has come, or nil.
func (q *queue) due(now time.Time) *entry {
	if q.n == 0 || q.slot(0).at > now.UnixMicro() {
		return nil
	}
	return q.slot(0).entry
}

// advance moves an entry forward if its expiry has become earlier.
func (q *queue) advance(e *entry) {
	if e.times[expires] < q.slot(e.place).at {
		q.postpone(e)
	}
}

// postpone moves an entry to where its expiry belongs.
func (q *queue) postpone(e *entry) {
	q.slot(e.place).at = e.times[expires]
	heap.Fix(q, e.place)
}
