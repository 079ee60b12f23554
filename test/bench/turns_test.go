package bench

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// A subject runs in batches, in turn with others in one process: so what else the
// machine does meanwhile falls on all of them alike.
type subject struct {
	name   string
	run    func()
	before func() // each batch, untimed; nil if there is nothing to do
	took   []time.Duration
}

// inTurn runs batches of the subjects, as many as workers at a time.
func inTurn(rounds, batch, workers int, subjects []*subject) {
	for _, s := range subjects {
		for range batch {
			s.prepare()
			s.run()
		}
	}
	for range rounds {
		for _, s := range subjects {
			s.prepare()
			start := time.Now()
			together(workers, batch, s.run)
			s.took = append(s.took, time.Since(start)/time.Duration(batch))
		}
	}
}

func (s *subject) prepare() {
	if s.before != nil {
		s.before()
	}
}

func together(workers, batch int, run func()) {
	if workers == 1 {
		for range batch {
			run()
		}
		return
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range batch / workers {
				run()
			}
		})
	}
	wg.Wait()
}

// p10 is how long one run takes, in microseconds, in a batch that little has disturbed.
func (s *subject) p10() float64 { return micros(s.took, 0.1) }

func micros(took []time.Duration, part float64) float64 {
	sorted := slices.Sorted(slices.Values(took))
	at := sorted[int(float64(len(sorted)-1)*part)]
	return math.Max(float64(at.Nanoseconds())/1000, 0.001)
}

// heap returns how many bytes are in use.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
