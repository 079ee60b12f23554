package main

import (
	"math/rand/v2"
	"sync"
	"time"
)

// grace is how long after a fault has ended requests may still be lost.
const grace = time.Second

// outages remembers when which server could not be expected to answer.
type outages struct {
	mu   sync.Mutex
	list []*outage
}

type outage struct {
	server int // -1 for all
	from   time.Time
	to     time.Time // zero while it lasts
}

func (o *outages) begin(server int) *outage {
	o.mu.Lock()
	defer o.mu.Unlock()
	begun := &outage{server: server, from: time.Now()}
	o.list = append(o.list, begun)
	return begun
}

func (o *outages) end(which *outage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	which.to = time.Now().Add(grace)
}

// excuse reports whether a request of that time may have been lost.
func (o *outages) excuse(server int, call, back time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range o.list {
		if (f.server < 0 || f.server == server) && back.After(f.from) && (f.to.IsZero() || call.Before(f.to)) {
			return true
		}
	}
	return false
}

// inject brings about faults until the end: no more of the servers in the last
// part, so that leaks have time to show, and none just before the end.
func (s *soak) inject(start time.Time) error {
	if s.faultEvery <= 0 {
		return nil
	}
	for {
		time.Sleep(s.faultEvery/2 + rand.N(s.faultEvery))
		done := float64(time.Since(start)) / float64(s.duration)
		if done > 0.85 {
			return nil
		}
		down := 100*time.Millisecond + rand.N(500*time.Millisecond)
		kind := rand.IntN(8)
		switch {
		case kind < 3 && done < 0.6:
			i := rand.IntN(len(s.servers))
			s.figures.fault("kill -9 of a server")
			o := s.outages.begin(i)
			s.servers[i].Kill()
			time.Sleep(down)
			if err := s.servers[i].Restart(); err != nil {
				return err
			}
			s.outages.end(o)
		case kind < 6:
			s.figures.fault("kill -9 of Redis")
			o := s.outages.begin(-1)
			s.redis.kill()
			time.Sleep(down)
			if err := s.redis.start(); err != nil {
				return err
			}
			s.outages.end(o)
		case kind == 6:
			s.figures.fault("connections to Redis cut")
			o := s.outages.begin(-1)
			if _, err := s.redis.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"); err != nil {
				return err
			}
			s.outages.end(o)
		default: // is to cost no request at all
			s.figures.fault("scripts flushed")
			if _, err := s.redis.do("SCRIPT", "FLUSH"); err != nil {
				return err
			}
		}
	}
}
