package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/revoke-sessions/revoke/proof/model/explore"
)

// A role is what an actor is there for.
type role struct {
	does uint8
	key  uint8 // the token that it comes with
}

const (
	newRequest = iota
	newRenewal // renews the token on a new node
	plainWrite
	plainOut
	plainRenewal
	plainSignIn
	revokeCall
	logout
	revokeAllCall
	revokeOthersCall
	everyoneCall
)

var roleNames = [...]string{
	"new node", "new node, renewal", "plain node", "plain node", "plain node", "plain node",
	"Revoke", "Logout", "RevokeAll", "RevokeOthers", "RevokeEveryone",
}

var (
	request0, request1, request2 = role{newRequest, 0}, role{newRequest, 1}, role{newRequest, 2}
	requestRenewed               = role{newRequest, renewed}
	renewalOnNew                 = role{newRenewal, 0}
	write0, write1               = role{plainWrite, 0}, role{plainWrite, 1}
	out0                         = role{plainOut, 0}
	renewal0, renewal1           = role{plainRenewal, 0}, role{plainRenewal, 1}
	signIn1                      = role{plainSignIn, 1}
	revokeIt                     = role{revokeCall, 0}
	logsOut                      = role{logout, 0}
	revokesAll                   = role{revokeAllCall, 0}
	revokesOthers                = role{revokeOthersCall, 0}
	revokesEveryone              = role{everyoneCall, 0}
)

// Rules are left out or changed, one at a time, to see what each is for. The zero
// value is the protocol.
type rules struct {
	asBefore          bool // adoption as it was before there were tags
	createsAgain      bool // a session that was adopted can be adopted again
	noMark            bool // RevokeAll leaves no mark
	markLast          bool // RevokeEveryone leaves its mark after the wipe
	asksOnlyFirst     bool // adoption asks for that mark before Create only
	asksOnlyAfter     bool // and here after Create only
	bornLive          bool // Create makes a session that opens
	reservationsAlike bool // all reservations have the same secret
	tagsFirst         bool // the tag is written before Create
	taggedCreates     bool // and what is tagged may create
	copiesAreUntagged bool // a tag counts under its own token only
	copiesOwnSecret   bool // a copy comes with the secret of its own token
	tagWithoutSecret  bool // a tag opens its session, whatever the secret of that is
	unseenIsOldest    bool // the limit ends what was not yet seen before all else
	refusalDrops      bool // a refusal by a mark, or after AdoptUntil, deletes the old record
	leave             bool // the old record is only read
	strip             bool // the old record loses the user, and points to the session
}

// A model is one scenario: who acts, and what may happen to the stores.
type model struct {
	actors   []role
	faults   uint8
	forgets  bool // tombstones may be forgotten
	loses    bool // the session store may be lost
	off      bool // AdoptUntil may come
	idle     bool // each use writes the old record, as under IdleTimeout
	iterable bool // RevokeEveryone deletes old records
	limit    int  // of the user's sessions
	browsers bool // tokens 0 and 1 are two browsers' old cookies
	rules    rules
}

func (m *model) start() (s state) {
	s.Visitors[0] = visitor{Kind: untagged}
	s.Faults = m.faults
	if m.browsers {
		s.Visitors[1] = visitor{Kind: untagged}
		s.Sessions[2] = session{Kind: live, Secret: nobody - 1, Prev: nobody, Seen: m.use(&s)}
	}
	return s
}

// next adds what may happen in a state.
func (m *model) next(s state, to *explore.Steps[state]) {
	s.Wrong = 0
	m.world(s, to)
	for i, role := range m.actors {
		switch {
		case s.Actors[i].PC == done:
			continue
		case i > 0 && role == m.actors[i-1] && s.Actors[i-1].PC == start && role.does != revokeCall:
			continue // the same request by another name
		}
		w, words, possible := m.intent(&s, i)
		if !possible {
			continue
		}
		who := roleNames[role.does] + names[i]
		after := s
		a := m.apply(&after, w)
		after.Tainted = s.Tainted || s.Actors[i].Across && w.Kind == create && a == ok
		n := after
		m.goOn(&n, i, a)
		to.State(n, who, words, answers[a])
		if w.Kind == noWrite || s.Faults == 0 {
			continue
		}
		s, after := s, after
		s.Faults--
		after.Faults--
		m.goOn(&after, i, failed)
		to.State(after, who, words, "-> takes effect, its answer is lost")
		m.goOn(&s, i, failed)
		to.State(s, who, words, "-> FAILS")
		if j := slices.Index(s.Late[:], write{}); j >= 0 {
			s.Late[j] = w
			s.sortLate()
			to.State(s, who, words, "-> FAILS, to take effect later")
		}
	}
}

var names = [...]string{" (a):", " (b):", " (c):", " (d):", " (e):"}

// intent is the next step of an actor, if one is possible.
func (m *model) intent(s *state, i int) (w write, words string, possible bool) {
	switch does := m.actors[i].does; {
	case does >= revokeCall:
		return m.revoker(s, i)
	case does >= plainWrite:
		w, words = m.plain(s, i)
	case m.actors[i].key == renewed && s.Cookie != renewed:
		return w, "", false // nobody has that token yet
	case m.rules.asBefore:
		w, words = m.before(s, i)
	default:
		w, words = m.request(s, i)
	}
	return w, words, true
}

// goOn takes an actor on after its step.
func (m *model) goOn(s *state, i int, a answer) {
	switch does := m.actors[i].does; {
	case does >= revokeCall:
		m.proceedRevoker(s, i, a)
	case does >= plainWrite:
		m.proceedPlain(s, i, a)
	case m.rules.asBefore:
		m.proceedBefore(s, i, a)
	default:
		m.proceed(s, i, a)
	}
}

// world adds what happens by itself.
func (m *model) world(s state, to *explore.Steps[state]) {
	for j, w := range s.Late {
		if w.Kind != noWrite {
			n := s
			n.Late[j] = write{}
			n.sortLate()
			a := m.apply(&n, w)
			n.Tainted = s.Tainted || s.Lost != 0 && w.Kind == create && a == ok
			to.State(n, "the late", writeNames[w.Kind], "takes effect")
		}
	}
	if m.forgets && s.Tombstone != [3]bool{} {
		n := s
		clear(n.Tombstone[:])
		to.State(n, "the tombstone is forgotten")
	}
	if m.loses && s.Lost == 0 {
		n := s
		n.forgetAll()
		n.Everyone, n.Excused, n.Lost = false, true, lost
		if !s.Opened && s.Visitors[0].Kind == untagged {
			n.Lost = exposed
		}
		for i, role := range m.actors {
			n.Actors[i].Across = role.does <= newRenewal && s.Actors[i].began()
		}
		to.State(n, "the session store loses all that it has")
	}
	if m.rules.asBefore && s.Visitors[0].Kind == pointer {
		n := s
		n.Visitors[0] = visitor{}
		to.State(n, "the pointer expires")
	}
	if m.off && !s.Off {
		n := s
		n.Off = true
		to.State(n, "AdoptUntil has come")
	}
}

func (p *actor) began() bool { return p.PC != start && p.PC != done }

func (s *state) sortLate() {
	slices.SortFunc(s.Late[:], func(a, b write) int {
		return cmp.Or(cmp.Compare(b.Kind, a.Kind), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Key, b.Key),
			cmp.Compare(a.Prev, b.Prev), cmp.Compare(a.Was, b.Was), cmp.Compare(a.Visitor.Kind, b.Visitor.Kind),
			cmp.Compare(a.Visitor.ID, b.Visitor.ID), cmp.Compare(a.Visitor.Key, b.Visitor.Key))
	})
}

var writeNames = [...]string{"", "Commit to the visitors' store", "Delete from the visitors' store", "Create", "Update", "Update",
	"Touch", "Revoke", "RevokeAll", "RevokeOthers", "mark of RevokeEveryone", "wipe"}

var visitorNames = func() (names [4][3][3]string) {
	for id := range 3 {
		for key := range 3 {
			names[nothing][id][key] = "nothing"
			names[untagged][id][key] = "the user"
			names[tagged][id][key] = fmt.Sprintf("the user, tagged as session %d with the secret of token %d", id, key)
			names[pointer][id][key] = "a pointer"
		}
	}
	return names
}()

func (v visitor) String() string { return visitorNames[v.Kind][v.ID][v.Key] }

var secretNames = func() (names [64]string) {
	for i := range names {
		names[i] = "live, under token " + strconv.Itoa(i)
	}
	names[renewed] = "live, under the token of a renewal on a new node"
	return names
}()

// seen says what a look at a session finds.
func (m *model) seen(s *state, id uint8) string {
	switch r := &s.Sessions[id]; {
	case r.Kind == reserved:
		return "reserved"
	case r.Kind == live:
		return secretNames[r.Secret]
	case s.Tombstone[id]:
		return "revoked"
	}
	return "not there"
}
