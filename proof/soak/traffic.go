package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/revoke-sessions/revoke/proof/internal/site"
)

// send makes a request of a server, of any if server is negative.
func (s *soak) send(operation string, server int, r site.Request) site.Answer {
	if server < 0 {
		server = rand.IntN(len(s.servers))
	}
	call := time.Now()
	a := s.client.Do(context.Background(), r.To(s.urls[server]))
	back := time.Now()
	if !a.Unknown() {
		s.figures.answered(operation, back.Sub(call))
		return a
	}
	s.figures.add(&s.figures.lost, 1)
	if !s.outages.excuse(server, call, back) {
		s.figures.note("%s: %d %q after %v, and nothing was down", operation, a.Status, a.Code, back.Sub(call))
	}
	time.Sleep(10 * time.Millisecond) // a server that is down refuses quickly
	return a
}

// act makes one random request as the user.
func (s *soak) act(u *user) {
	u.mu.Lock()
	u.forget()
	live, dead := u.live(), u.deadOnes()
	u.mu.Unlock()
	dice := rand.IntN(100)
	if len(live) < 4 || dice < 10 && len(live) < 12 {
		s.signIn(u)
		return
	}
	actor := live[rand.IntN(len(live))]
	switch {
	case dice < 40:
		s.read(u, actor, -1, u.token(actor))
	case dice < 52:
		s.write(u, actor, u.token(actor))
	case dice < 62:
		s.renew(u, actor, u.token(actor))
	case dice < 74:
		s.list(u, actor, u.token(actor))
	case dice < 80:
		if len(dead) > 0 {
			s.read(u, dead[rand.IntN(len(dead))], -1, "")
		}
	case dice < 90:
		target := live[rand.IntN(len(live))]
		if rand.IntN(10) == 0 && len(dead) > 0 {
			target = dead[rand.IntN(len(dead))]
		}
		s.race(u, []*session{target}, func() bool { return s.revokeOne(u, actor, target) })
	case dice < 94:
		s.race(u, []*session{actor}, func() bool { return s.logOut(u, actor) })
	case dice < 97:
		others := slices.DeleteFunc(live, func(other *session) bool { return other == actor })
		s.race(u, others, func() bool { return s.sweep(u, "revoke others", actor, actor, site.RevokeOthers()) })
	case dice < 99:
		s.race(u, live, func() bool { return s.sweep(u, "revoke all", actor, nil, site.Post("/revoke-all")) })
	default:
		s.race(u, live, func() bool { return s.sweep(u, "reset", nil, nil, site.Post("/reset?user="+u.name)) })
	}
}

// token returns the session's token, at times one that was replaced.
func (u *user) token(s *session) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(s.old) > 0 && rand.IntN(10) == 0 {
		return s.old[rand.IntN(len(s.old))]
	}
	return s.token
}

// race revokes victims while requests with their tokens are under way, and,
// where the revocation was answered, tries every token of theirs on every server.
func (s *soak) race(u *user, victims []*session, revoke func() bool) {
	rand.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
	victims = victims[:min(len(victims), 3)]
	var wg sync.WaitGroup
	if rand.IntN(2) == 0 {
		for _, victim := range victims {
			wg.Go(func() {
				switch rand.IntN(3) {
				case 0:
					s.write(u, victim, u.token(victim))
				case 1:
					s.renew(u, victim, u.token(victim))
				default:
					s.read(u, victim, -1, u.token(victim))
				}
			})
		}
	}
	answered := revoke()
	wg.Wait() // a renewal may have brought another token
	if !answered {
		return
	}
	for _, victim := range victims {
		s.tryAll(u, victim)
	}
}

// tryAll uses every token of a session on every server.
func (s *soak) tryAll(u *user, victim *session) {
	u.mu.Lock()
	tokens := append(slices.Clone(victim.old), victim.token)
	u.mu.Unlock()
	for server := range s.servers {
		for _, token := range tokens {
			s.read(u, victim, server, token)
		}
	}
}

func (s *soak) signIn(u *user) {
	u.mu.Lock()
	created := u.newSession()
	swept, sweepings := u.sweeps > 0, u.sweepings
	u.mu.Unlock()
	a := s.send("sign in", -1, site.Post("/login?user="+u.name).As(created.agent, ""))
	if a.Unknown() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if a.Status == 401 && a.Code == "session_revoked" && (swept || u.sweepings != sweepings) {
		return // all were revoked meanwhile
	}
	if a.Status != 200 || a.Cookie == "" {
		s.figures.note("sign in: %s was answered %d %q", created.agent, a.Status, a.Code)
		return
	}
	created.token, created.id = a.Cookie, site.ID(a.Cookie)
	if u.ended[created.id] {
		created.dead = true
		delete(u.ended, created.id)
	}
	if swept || u.sweepings != sweepings {
		created.threaten() // for good: nobody can tell which came first
	}
}

// read uses a session; an empty token stands for its current one.
func (s *soak) read(u *user, by *session, server int, token string) {
	u.mu.Lock()
	if token == "" {
		token = by.token
	}
	l := by.look(token)
	u.mu.Unlock()
	a := s.send("read", server, site.Get("/me").As(by.agent, token))
	if a.Unknown() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.judge(s.figures, "read", by, token, l, a) && l.valueFor == by.writeN && a.Value != l.value {
		s.figures.note("read: %s has %q, not %q", by.agent, a.Value, l.value)
	}
}

func (s *soak) write(u *user, by *session, token string) {
	u.mu.Lock()
	l := by.look(token)
	alone := by.beginWrite()
	mine := by.writeN
	u.mu.Unlock()
	value := fmt.Sprintf("%s.%d", by.agent, mine)
	a := s.send("write", -1, site.Post("/write?value="+value).As(by.agent, token))
	if a.Unknown() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	opened := u.judge(s.figures, "write", by, token, l, a)
	if opened && a.Update != site.Saved && by.stillCurrent(l) {
		s.figures.note("write: %s was not saved", by.agent)
	}
	by.endWrite(alone, mine, l)
	if alone && by.writeN == mine && opened && a.Update == site.Saved {
		by.value, by.known = value, true
	}
}

// beginWrite notes that the data may change, and reports whether nothing else
// is about to change it.
func (s *session) beginWrite() (alone bool) {
	alone = s.writes == 0
	s.writes++
	s.writeN++
	s.known = false
	return alone
}

// endWrite notes that the data is as it was, if that is certain.
func (s *session) endWrite(alone bool, mine int, l look) {
	s.writes--
	if alone && s.writeN == mine && l.valueFor == mine-1 {
		s.known = true
	}
}

func (s *soak) renew(u *user, by *session, token string) {
	u.mu.Lock()
	l := by.look(token)
	alone := by.beginWrite()
	mine := by.writeN
	by.renewals++
	by.renewed++
	l.renewed++
	u.mu.Unlock()
	a := s.send("renew", -1, site.Post("/renew").As(by.agent, token))
	if a.Unknown() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	opened := u.judge(s.figures, "renew", by, token, l, a)
	by.endWrite(alone, mine, l)
	by.renewals--
	switch {
	case opened && a.Cookie != "":
		if a.Cookie == token || site.ID(a.Cookie) != by.id {
			s.figures.note("renew: %s has no fresh token", by.agent)
		}
		if slices.Contains(by.old, token) && !by.isRenewable() {
			s.figures.note("renew: a token of %s was replaced twice", by.agent)
		}
		for _, old := range []string{token, by.token} {
			if !slices.Contains(by.old, old) {
				by.old = append(by.old, old)
			}
		}
		by.old = by.old[max(0, len(by.old)-4):]
		by.token, by.lastly = a.Cookie, time.Now()
	case opened && by.stillCurrent(l) && by.isRenewable():
		s.figures.note("renew: %s was not saved", by.agent)
	}
}

func (s *soak) list(u *user, by *session, token string) {
	u.mu.Lock()
	l := by.look(token)
	before := make(map[*session]look)
	for _, other := range u.sessions {
		if other.token != "" {
			before[other] = other.look(other.token)
		}
	}
	u.lists++
	u.mu.Unlock()
	a := s.send("list", -1, site.List().As(by.agent, token))
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lists--
	if a.Unknown() {
		return
	}
	if !u.judge(s.figures, "list", by, token, l, a) {
		return
	}
	listed := make(map[string]bool)
	for _, entry := range a.Sessions {
		listed[entry.UserAgent] = true
		i := slices.IndexFunc(u.sessions, func(s *session) bool { return s.agent == entry.UserAgent })
		switch {
		case i < 0:
			s.figures.note("list: %s is told of %q", by.agent, entry.UserAgent)
		case before[u.sessions[i]].dead:
			s.figures.note("list: %s is told of %s, which is over", by.agent, entry.UserAgent)
		case entry.Current != (u.sessions[i] == by):
			s.figures.note("list: %s is told that it is %s", by.agent, entry.UserAgent)
		}
	}
	for other, l := range before {
		if other.stillLive(l) && !listed[other.agent] {
			s.figures.note("list: %s is not told of %s", by.agent, other.agent)
		}
	}
}
