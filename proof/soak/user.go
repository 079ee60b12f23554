package main

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/revoke-sessions/revoke/proof/internal/site"
)

// A user is what is known of one user's sessions from the answers so far: which
// tokens must open their session, which must not, and which may do either,
// because something that could change it is under way or was never answered.
type user struct {
	name string

	mu        sync.Mutex
	sessions  []*session
	signIns   int             // so far
	sweeps    int             // revocations of several sessions that are under way
	sweepings int             // and so far
	lists     int             // that are under way
	ended     map[string]bool // ids that were revoked before their sign-in was answered
	unsettled bool            // a sweep was never answered: no session of this user is sure any more
}

// A session is one that was signed in, or may have been.
type session struct {
	agent string
	id    string // empty until the sign-in is answered

	dead     bool // its end was answered
	threats  int  // revocations of it that are under way, or were never answered
	menaces  int  // and so far
	token    string
	old      []string  // tokens whose replacement was answered
	retired  []string  // those after which a newer one was used: they open nothing
	renewals int       // under way, or never answered
	renewed  int       // and so far
	lastly   time.Time // answered

	value  string // what was last written
	known  bool   // that it is value
	writes int    // of the data, under way or never answered
	writeN int    // and so far
}

// A look is what was known when a request was made.
type look struct {
	dead     bool // its token must open nothing
	live     bool // the session is live, unless something happens meanwhile
	current  bool // and the token the current one
	menaces  int
	renewed  int
	value    string
	valueFor int // the value holds as long as there are so many writes; -1 for not known
}

func (s *session) look(token string) look {
	l := look{
		dead:    s.dead || slices.Contains(s.retired, token),
		live:    !s.dead && s.threats == 0,
		menaces: s.menaces, renewed: s.renewed, value: s.value, valueFor: -1,
	}
	l.current = l.live && s.renewals == 0 && token == s.token
	if s.known && s.writes == 0 {
		l.valueFor = s.writeN
	}
	return l
}

// stillLive reports whether nothing has happened since that could have ended it.
func (s *session) stillLive(l look) bool { return l.live && s.menaces == l.menaces }

// stillCurrent reports whether the token must have opened the session throughout.
func (s *session) stillCurrent(l look) bool {
	return l.current && s.stillLive(l) && s.renewed == l.renewed
}

// firstUse notes that the newest token was used: those before it open nothing any more.
func (s *session) firstUse(token string) {
	if token != s.token {
		return
	}
	for _, old := range s.old {
		if !slices.Contains(s.retired, old) {
			s.retired = append(s.retired, old)
		}
	}
	s.retired = s.retired[max(0, len(s.retired)-4):]
}

// isRenewable reports whether a renewal is not skipped, as the last one is a while ago.
func (s *session) isRenewable() bool {
	return s.lastly.IsZero() || time.Since(s.lastly) > 70*time.Second
}

func (s *session) threaten() { s.threats++; s.menaces++ }

// judge holds the answer of a request with a token of the session against what
// is known, and learns from it. It reports whether the token opened the session.
func (u *user) judge(f *figures, doing string, s *session, token string, l look, a site.Answer) (opened bool) {
	switch {
	case a.Status == 401 && (a.Code == "session_revoked" || a.Code == "unauthenticated"):
		if s.stillCurrent(l) {
			f.note("%s: %s was refused, and nobody had revoked it: %s %s", doing, s.agent, a.Code, a.Reason)
		}
		if a.Code == "session_revoked" {
			if s.stillLive(l) {
				f.note("%s: %s is said to be revoked, and nobody did so: %s", doing, s.agent, a.Reason)
			}
			s.dead = true
		}
		if l.dead {
			f.add(&f.probes, 1)
		}
		return false
	case a.Status == 200 || a.Status == 404 && a.Code == "session_not_found":
		if l.dead {
			f.note("%s: a dead token of %s opened it", doing, s.agent)
		}
		if s.stillCurrent(l) {
			f.add(&f.survivors, 1)
		}
		if a.Update == site.Saved {
			s.firstUse(token)
		}
		if a.SetCookie && a.Cookie == "" && s.stillLive(l) {
			f.note("%s: the cookie of %s was cleared, and nobody had revoked it", doing, s.agent)
		}
		if a.User != "" && a.User != u.name {
			f.note("%s: %s opened a session of %s", doing, s.agent, a.User)
		}
		return true
	}
	f.note("%s: %s was answered %d %q", doing, s.agent, a.Status, a.Code)
	return false
}

// newSession is one whose sign-in begins.
func (u *user) newSession() *session {
	u.signIns++
	s := &session{agent: fmt.Sprintf("%s/%d", u.name, u.signIns), known: true}
	u.sessions = append(u.sessions, s)
	return s
}

// live returns the sessions that could be live, of which a token is known.
func (u *user) live() (live []*session) {
	for _, s := range u.sessions {
		if !s.dead && s.token != "" {
			live = append(live, s)
		}
	}
	return live
}

// dead returns the sessions that have ended.
func (u *user) deadOnes() (dead []*session) {
	for _, s := range u.sessions {
		if s.dead && s.token != "" {
			dead = append(dead, s)
		}
	}
	return dead
}

// forget drops the oldest of the sessions that have ended, but for a few. A list
// that is under way may still tell of any.
func (u *user) forget() {
	if u.lists > 0 {
		return
	}
	for extra := len(u.deadOnes()) - 12; extra > 0; extra-- {
		i := slices.IndexFunc(u.sessions, func(s *session) bool { return s.dead && s.token != "" })
		u.sessions = slices.Delete(u.sessions, i, i+1)
	}
}

func (u *user) byID(id string) *session {
	for _, s := range u.sessions {
		if s.id == id {
			return s
		}
	}
	return nil
}
