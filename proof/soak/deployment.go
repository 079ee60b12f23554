package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/revoke-sessions/revoke/proof/internal/site"
)

// A deployment is two servers over one Redis that change again and again from scs
// alone to revoke and back, each at a time of its own. A server is drained before, as
// a load balancer does it.
type deployment struct {
	*soak
	nodes []node
}

type node struct {
	using sync.RWMutex // for reading by requests
	plain bool
}

// A person has signed in on servers of either kind. One worker plays them, so that
// what they know is sure.
type person struct {
	name    string
	devices []*device
	swept   bool     // signed out everywhere: who signs in on a plain server afterwards is not adopted
	ended   []string // tokens from before
}

type device struct {
	token string
	old   []string
}

func runDeployment(c config) (*report, error) {
	redis, err := startRedis()
	if err != nil {
		return nil, err
	}
	defer redis.remove()
	d := &deployment{soak: &soak{config: c, redis: redis, client: site.NewClient(), figures: newFigures()}, nodes: make([]node, 2)}
	for i := range d.nodes {
		server, err := site.Start(site.Config{Store: site.Place{Kind: site.Redis, Address: redis.address}, TouchEvery: time.Second, Defect: c.defect, Plain: true})
		if err != nil {
			return nil, err
		}
		defer server.Kill()
		d.nodes[i].plain = true
		d.servers, d.urls = append(d.servers, server), append(d.urls, server.URL)
	}
	var over atomic.Bool
	var wg sync.WaitGroup
	start := time.Now()
	for range c.workers {
		wg.Go(func() {
			for !over.Load() {
				d.play(&over)
			}
		})
	}
	for time.Since(start) < c.duration && err == nil {
		time.Sleep(c.faultEvery/2 + rand.N(c.faultEvery))
		err = d.deploy(rand.IntN(len(d.nodes)))
	}
	over.Store(true)
	wg.Wait()
	if err != nil {
		return nil, err
	}
	text := d.figures.table(time.Since(start)) + d.figures.wrongAnswers()
	return &report{text: text, wrong: d.figures.wrongs}, nil
}

// deploy changes a server from one kind to the other.
func (d *deployment) deploy(i int) error {
	n := &d.nodes[i]
	n.using.Lock()
	defer n.using.Unlock()
	n.plain = !n.plain
	if n.plain {
		d.figures.fault("rollback of a server")
	} else {
		d.figures.fault("deployment of a server")
	}
	return d.servers[i].Deploy(n.plain)
}

// do makes a request of a server, and says of which kind that was.
func (d *deployment) do(operation string, i int, r site.Request) (a site.Answer, plain bool) {
	n := &d.nodes[i]
	n.using.RLock()
	defer n.using.RUnlock()
	return d.send(operation, i, r), n.plain
}

// play is what a person does: mostly, use what they have signed in.
func (d *deployment) play(over *atomic.Bool) {
	p := &person{name: fmt.Sprintf("person%d", userNumber.Add(1))}
	for n := 40 + rand.IntN(80); n > 0 && !over.Load(); n-- {
		i := rand.IntN(len(d.nodes))
		switch dice := rand.IntN(40); {
		case len(p.devices) < 2 || dice == 0 && len(p.devices) < 5:
			d.signInOn(i, p)
		case dice < 30:
			d.use(i, p, p.devices[rand.IntN(len(p.devices))])
		case dice < 39:
			d.useEnded(i, p)
		default:
			d.signOutEverywhere(i, p)
		}
	}
}

func (d *deployment) signInOn(i int, p *person) {
	a, plain := d.do("sign in", i, site.Post("/login?user="+p.name))
	if a.Status != 200 || a.Cookie == "" {
		d.figures.note("sign in of %s: answered %d %q, plain %v", p.name, a.Status, a.Code, plain)
		return
	}
	if plain && p.swept {
		return // a new server cannot tell when that was
	}
	p.devices = append(p.devices, &device{token: a.Cookie})
}

// use has a device make a request. Whoever signed in on a plain server is signed in on
// both kinds; whoever did on a new one, on the new ones, and keeps the cookie elsewhere.
func (d *deployment) use(i int, p *person, by *device) {
	r := site.Get("/me")
	if rand.IntN(3) == 0 {
		r = site.Post("/write?value=x")
	}
	a, plain := d.do("use", i, r.As(p.name, by.token))
	opens := !plain || site.ID(by.token) == ""
	switch {
	case opens && (a.Status != 200 || a.User != p.name):
		d.figures.note("use: %s was signed out by a deployment: %d %q %q, plain %v", p.name, a.Status, a.Code, a.User, plain)
	case opens:
		d.figures.add(&d.figures.survivors, 1)
	}
	if a.SetCookie && a.Cookie == "" {
		d.figures.note("use: the cookie of %s was cleared, plain %v", p.name, plain)
	}
	if a.Cookie != "" && a.Cookie != by.token {
		by.old, by.token = append(by.old, by.token), a.Cookie
	}
}

// useEnded uses a token from before a sign-out everywhere: a plain server may open it,
// and write what it likes, but a new one never does.
func (d *deployment) useEnded(i int, p *person) {
	if len(p.ended) == 0 {
		return
	}
	r := site.Get("/me")
	if rand.IntN(3) == 0 {
		r = site.Post("/write?value=y")
	}
	a, plain := d.do("use what ended", i, r.As(p.name, p.ended[rand.IntN(len(p.ended))]))
	switch {
	case plain:
	case a.Status != 401:
		d.figures.note("use: what %s had ended opens: %d %q", p.name, a.Status, a.User)
	default:
		d.figures.add(&d.figures.probes, 1)
	}
}

// signOutEverywhere ends all sessions by a new server, while some of them are in use.
func (d *deployment) signOutEverywhere(i int, p *person) {
	n := &d.nodes[i]
	n.using.RLock()
	defer n.using.RUnlock()
	if n.plain {
		return // it cannot
	}
	var wg sync.WaitGroup
	for _, by := range p.devices {
		wg.Go(func() { d.send("use", i, site.Post("/write?value=z").As(p.name, by.token)) })
		p.ended = append(append(p.ended, by.token), by.old...)
	}
	a := d.send("sign out", i, site.Post("/reset?user="+p.name))
	wg.Wait()
	if a.Status != 200 {
		d.figures.note("sign out of %s: answered %d %q", p.name, a.Status, a.Code)
	}
	d.figures.add(&d.figures.revoked, len(a.Revoked))
	p.devices, p.swept = nil, true
	for _, token := range p.ended {
		if a := d.send("use what ended", i, site.Get("/me").As(p.name, token)); a.Status != 401 {
			d.figures.note("sign out: what %s has just ended opens: %d", p.name, a.Status)
		}
	}
}
