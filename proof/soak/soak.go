package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/revoke-sessions/revoke/proof/internal/site"
)

type config struct {
	duration   time.Duration
	workers    int
	faultEvery time.Duration
	defect     string
}

// A soak is two servers over one Redis, and the users whose clients keep them
// busy.
type soak struct {
	config
	redis   *redisServer
	servers []*site.Process
	urls    []string
	client  *site.Client
	figures *figures
	outages outages

	mu    sync.Mutex
	slots []*user // at work
	users []*user // all
}

// A report is what came of a soak.
type report struct {
	text  string
	leaks []string
	wrong int
}

func (r *report) failed() bool   { return r.wrong > 0 || len(r.leaks) > 0 }
func (r *report) String() string { return r.text }

// settling is how long what was never answered may still have its effect: the
// limit of a call to Redis, and some.
const settling = 3 * time.Second

func run(c config) (*report, error) {
	redis, err := startRedis()
	if err != nil {
		return nil, err
	}
	defer redis.remove()
	s := &soak{config: c, redis: redis, client: site.NewClient(), figures: newFigures()}
	for range 2 {
		server, err := site.Start(site.Config{Store: site.Place{Kind: site.Redis, Address: redis.address}, TouchEvery: time.Second, Defect: c.defect})
		if err != nil {
			return nil, err
		}
		defer server.Kill()
		s.servers, s.urls = append(s.servers, server), append(s.urls, server.URL)
	}

	s.traffic(min(3*time.Second, c.duration/4)) // so that all that is set up once is there
	before, err := s.rest()
	if err != nil {
		return nil, err
	}
	s.figures, s.slots, s.users = newFigures(), nil, nil

	injected := make(chan error, 1)
	start := time.Now()
	go func() { injected <- s.inject(start) }()
	s.traffic(c.duration)
	lasted := time.Since(start)
	if err := <-injected; err != nil {
		return nil, err
	}
	table := s.figures.table(lasted)
	if s.figures.wrongs > 0 { // what it leaks is the least of it
		return &report{text: table + s.figures.wrongAnswers(), wrong: s.figures.wrongs}, nil
	}
	time.Sleep(settling)
	leaks, err := s.finish()
	if err != nil {
		return nil, err
	}
	after, err := s.rest()
	if err != nil {
		return nil, err
	}
	return s.report(table, leaks, before, after), nil
}

// traffic has all workers make requests for a time.
func (s *soak) traffic(lasting time.Duration) {
	for range max(2, s.workers/2) {
		s.slots = append(s.slots, s.newUser())
	}
	var over atomic.Bool
	time.AfterFunc(lasting, func() { over.Store(true) })
	var wg sync.WaitGroup
	for range s.workers {
		wg.Go(func() {
			for !over.Load() {
				s.act(s.pick())
			}
		})
	}
	wg.Wait()
}

// pick returns a user, in whose place another comes when nothing about them is
// sure any more.
func (s *soak) pick() *user {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := rand.IntN(len(s.slots))
	u := s.slots[i]
	u.mu.Lock()
	unsettled := u.unsettled
	u.mu.Unlock()
	if unsettled {
		u = s.newUser()
		s.slots[i] = u
	}
	return u
}

var userNumber atomic.Int64

func (s *soak) newUser() *user {
	u := &user{name: fmt.Sprintf("user%d", userNumber.Add(1)), ended: make(map[string]bool)}
	s.users = append(s.users, u)
	return u
}

// finish uses every session once more, ends them all, and looks for what is
// left in Redis. It returns what should not be.
func (s *soak) finish() (leaks []string, err error) {
	for _, u := range s.users {
		for _, known := range u.sessions {
			if known.token != "" {
				s.tryAll(u, known)
			}
		}
		s.sweep(u, "reset", nil, nil, site.Post("/reset?user="+u.name))
		for _, known := range u.sessions {
			if known.token != "" {
				s.tryAll(u, known)
			}
		}
	}
	state, err := s.redis.state()
	if err != nil {
		return nil, err
	}
	foreign, sessions, tombstones, err := s.redis.leftovers()
	if err != nil {
		return nil, err
	}
	if state.keys > len(s.users)+1 || foreign > 0 || sessions > 0 || tombstones > 100 {
		leaks = append(leaks, fmt.Sprintf("Redis has %d keys of %d users, %d keys of nobody, %d fields of sessions that are over, and up to %d tombstones of a user",
			state.keys, len(s.users), foreign, sessions, tombstones))
	}
	return leaks, nil
}

// A rest is what there is when nothing is under way.
type rest struct {
	servers []site.Holdings
	redis   redisState
}

// rest ends everybody's sessions and connections, and waits until all is quiet.
func (s *soak) rest() (r rest, err error) {
	if a := s.send("reset everyone", 0, site.Post("/reset-everyone")); a.Status != 200 {
		return r, fmt.Errorf("reset everyone: answered %d", a.Status)
	}
	s.client.Close()
	time.Sleep(settling / 2)
	for _, server := range s.servers {
		holdings, err := server.Holdings()
		if err != nil {
			return r, err
		}
		r.servers = append(r.servers, holdings)
	}
	r.redis, err = s.redis.state()
	return r, err
}

// What may be there more than before: what varies by itself, and the uses of
// revoked tokens, 20,000 at most, that a Manager remembers, and the patterns in them.
const (
	moreGoroutines = 3
	moreFiles      = 2 // besides the connections in the pool
	moreHeap       = 8 << 20
	moreMemory     = 2 << 20
)

func (s *soak) report(table string, leaks []string, before, after rest) *report {
	var b strings.Builder
	b.WriteString(table)
	fmt.Fprintf(&b, "\n%-14s %22s %22s\n", "at rest", "before", "after")
	line := func(what string, was, is, more int) {
		fmt.Fprintf(&b, "%-14s %22d %22d\n", what, was, is)
		if is > was+more {
			leaks = append(leaks, fmt.Sprintf("%s: %d before, %d after", what, was, is))
		}
	}
	for i := range s.servers {
		was, is := before.servers[i], after.servers[i]
		fmt.Fprintf(&b, "server %d\n", i+1)
		line("  goroutines", was.Goroutines, is.Goroutines, moreGoroutines)
		line("  other files", was.Files-was.Conns, is.Files-is.Conns, moreFiles)
		line("  in use", was.Conns-was.Idle, is.Conns-is.Idle, 0)
		line("  heap, KiB", int(was.Heap>>10), int(is.Heap>>10), moreHeap>>10)
		if text := s.servers[i].Stderr(); text != "" {
			leaks = append(leaks, fmt.Sprintf("server %d said: %s", i+1, text))
		}
	}
	fmt.Fprintf(&b, "Redis %s\n", after.redis.version)
	line("  keys", before.redis.keys, after.redis.keys, 0)
	line("  clients", before.redis.clients-conns(before), after.redis.clients-conns(after), 0)
	line("  memory, KiB", before.redis.memory>>10, after.redis.memory>>10, moreMemory>>10)
	fmt.Fprintf(&b, "\nleaks                  %d\n", len(leaks))
	for _, leak := range leaks {
		fmt.Fprintf(&b, "  %s\n", leak)
	}
	b.WriteString(s.figures.wrongAnswers())
	return &report{text: b.String(), leaks: leaks, wrong: s.figures.wrongs}
}

func conns(r rest) (n int) {
	for _, server := range r.servers {
		n += server.Conns
	}
	return n
}
