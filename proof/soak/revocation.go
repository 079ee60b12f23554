package main

import (
	"slices"

	"github.com/revoke-sessions/revoke/proof/internal/site"
)

// revokeOne, logOut and sweep report whether a revocation was answered.

func (s *soak) revokeOne(u *user, by, target *session) (answered bool) {
	u.mu.Lock()
	l, was := by.look(by.token), target.look(target.token)
	r := site.Revoke(target.id).As(by.agent, by.token)
	target.threaten()
	was.menaces++
	u.mu.Unlock()
	a := s.send("revoke", -1, r)
	if a.Unknown() {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	target.threats--
	if !u.judge(s.figures, "revoke", by, r.Cookie, l, a) {
		return false
	}
	switch {
	case a.Status == 404 && target.stillLive(was):
		s.figures.note("revoke: %s is not found, and nobody had revoked it", target.agent)
	case a.Status == 200 && was.dead:
		s.figures.note("revoke: %s was revoked again", target.agent)
	case a.Status == 200:
		s.figures.add(&s.figures.revoked, 1)
	}
	target.dead = true
	return true
}

func (s *soak) logOut(u *user, by *session) (answered bool) {
	u.mu.Lock()
	l := by.look(by.token)
	r := site.Post("/logout").As(by.agent, by.token)
	by.threaten()
	u.mu.Unlock()
	a := s.send("log out", -1, r)
	if a.Unknown() {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	by.threats--
	if !u.judge(s.figures, "log out", by, r.Cookie, l, a) {
		return false
	}
	by.dead = true
	s.figures.add(&s.figures.revoked, 1)
	return true
}

// sweep revokes all of the user's sessions but keep.
func (s *soak) sweep(u *user, operation string, by, keep *session, r site.Request) (answered bool) {
	u.mu.Lock()
	var l look
	if by != nil {
		l = by.look(by.token)
		r = r.As(by.agent, by.token)
	}
	before := make(map[*session]look)
	for _, target := range u.live() {
		if target != keep {
			was := target.look(target.token)
			was.menaces++
			target.threaten()
			before[target] = was
		}
	}
	u.sweeps++
	u.sweepings++
	u.mu.Unlock()
	a := s.send(operation, -1, r)

	u.mu.Lock()
	defer u.mu.Unlock()
	if a.Unknown() {
		u.unsettled = true
		return false
	}
	u.sweeps--
	for target := range before {
		target.threats--
	}
	if by != nil && !u.judge(s.figures, operation, by, r.Cookie, l, a) {
		return false
	}
	if by == nil && a.Status != 200 {
		s.figures.note("%s: answered %d %q", operation, a.Status, a.Code)
		return false
	}
	s.figures.add(&s.figures.revoked, len(a.Revoked))
	for _, id := range a.Revoked {
		target := u.byID(id)
		was, known := before[target]
		switch {
		case target == nil:
			u.ended[id] = true // its sign-in is not answered yet, or never will be
		case target == keep:
			s.figures.note("%s: %s, which was to stay, was revoked", operation, target.agent)
		case known && was.dead || !known && target.look("").dead && target.threats == 0:
			s.figures.note("%s: %s was revoked again", operation, target.agent)
		}
		if target != nil {
			target.dead = true
		}
	}
	for target, was := range before {
		if target.stillLive(was) && !slices.Contains(a.Revoked, target.id) {
			s.figures.note("%s: %s was live, and is not said to be revoked", operation, target.agent)
		}
		target.dead = true
	}
	return true
}
