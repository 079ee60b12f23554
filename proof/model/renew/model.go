package main

import (
	"strconv"

	"github.com/revoke-sessions/revoke/proof/model/explore"
)

// Tokens are numbered in the order in which they are issued; the session begins with 0.
const (
	visitor = 13 // the browser holds a visitor's cookie
	nothing = 14 // it holds none
	nobody  = 15 // no token
)

// A record is the session's.
type record struct {
	Live         bool
	Secret, Prev uint8
	Other        uint8 // a pending token that Secret has replaced, if both are honored
	Used         bool  // Secret was used since it took the place of Prev; or nothing is pending
	Data         uint8 // version: a renewal writes it
	Renewed      bool  // less than a minute ago
	Proved       bool  // the last renewal was with proof
}

// A request is what one client has under way.
type request struct {
	PC     uint8
	Token  uint8
	Loaded record
	Cookie uint8 // what the answer sets; nobody for none
	// It began before the last renewal, or before the first use of the new token.
	BeforeRenewal, BeforeUse bool
}

const (
	start = iota
	find
	save
	answer
	done
)

// What requests do.
const (
	reads = iota
	writes
	renews
	proves // renews with proof
	logsOut
	revokes // from another device
	thiefReads
	thiefRenews
)

var names = [...]string{"read", "write", "renewal", "proof", "logout", "Revoke", "thief's read", "thief's renewal"}

type state struct {
	R       record
	Jar     uint8 // what the browser holds
	Thief   uint8 // what the thief holds
	Issued  uint8
	Own     uint16 // the tokens of other sessions of the browser, which proofs have made
	JustUse bool   // the first use was less than a minute ago
	Q       [4]request
	Faults  uint8
	Losses  uint8 // answers that may still be lost

	Ended    bool   // the user has signed out, or was revoked
	SignOuts bool   // a sign-out was answered
	Answered bool   // a request with Secret was answered
	Refused  uint16 // the tokens that have opened nothing
	Wrong    wrong
}

type wrong uint8

const (
	overwritten wrong = 1 + iota
	dropped
	again
	elevated
	untold
	revived
)

const (
	isOverwritten = "what a renewal has written is overwritten by a request that loaded before"
	isDropped     = "a write is dropped that had loaded the newest data"
	isAgain       = "a token opens again after it opened nothing"
	isElevated    = "the token before opens the session after a proof"
	isUntold      = "who holds the token before is not told that the session was revoked"
	isRevived     = "a retired token renews the session"
	isSignedOut   = "signed out: the browser's cookie opens nothing"
	isLiving      = "signed out, and the session lives"
	isOldOpens    = "the token before opens after the new one was used"
	isStuck       = "who holds the token before can never renew it"
	isThief       = "a thief has renewed the token first, and the owner is out"
)

var wrongs = [...]string{"", isOverwritten, isDropped, isAgain, isElevated, isUntold, isRevived}

// Rules are changed one at a time. The zero value is the protocol.
type rules struct {
	newestOnly     bool // the token before ends at once
	againAtOnce    bool // who holds the token before may renew within a minute
	prevWaits      bool // only who holds the token before waits a minute
	never          bool // who holds the token before never renews
	both           bool // and all pending tokens are honored
	byPresented    bool // writes are conditional on the secret that came, not on the one loaded
	restores       bool // every write puts Prev back as it was loaded
	useUnnoted     bool // the first use is not written
	provenForgets  bool // a renewal with proof stores no Prev
	provenPends    bool // it stores Prev as any renewal
	retiredRenews  bool // Update lets a retired token renew
	tombstoneBare  bool // a tombstone keeps no Prev
	retiredLogsOut bool // a sign-out with a retired token ends nothing
}

type model struct {
	does   []uint8
	faults uint8
	losses uint8
	calm   bool // proofs and renewals are not under way at once
	rules  rules
}

func (m *model) start() state {
	s := state{R: record{Live: true, Prev: nobody, Other: nobody, Used: true}, Faults: m.faults, Losses: m.losses}
	for i := range s.Q {
		s.Q[i] = idle
	}
	return s
}

var idle = request{Token: nobody, Cookie: nobody}

func (r record) opens(token uint8) bool {
	return r.Live && (token == r.Secret || !r.Used && (token == r.Prev || token == r.Other))
}

func (r record) retired(token uint8) bool { return r.Live && token == r.Prev && r.Used }

// renews reports whether a request renews the token, rather than just saves.
func (m *model) renews(loaded record, does, token uint8) bool {
	before := token != loaded.Secret
	switch {
	case does == proves:
		return true
	case does != renews && does != thiefRenews, before && m.rules.never:
		return false
	case m.rules.againAtOnce, m.rules.newestOnly, m.rules.prevWaits && !before:
		return true
	}
	return !loaded.Renewed
}

// next adds what may happen in a state.
func (m *model) next(s state, to *explore.Steps[state]) {
	s.Wrong = 0
	m.minutes(s, to)
	for i, does := range m.does {
		q := s.Q[i]
		who := names[does] + " (" + string(rune('a'+i)) + "):"
		n := s
		p := &n.Q[i]
		switch q.PC {
		case start:
			if m.calm && m.renewing(&s, i) {
				continue
			}
			p.PC, p.Token = find, s.Jar
			for _, o := range s.Q { // the new token is still on its way to the browser
				p.BeforeRenewal = p.BeforeRenewal || o.BeforeRenewal && o.Cookie != nobody
				p.BeforeUse = p.BeforeUse || o.BeforeUse && o.Cookie != nobody
			}
			if does >= thiefReads {
				p.Token = s.Thief
			}
			if does == revokes {
				n.revoke(m)
				*p = request{PC: done, Token: nobody, Cookie: nobody}
				to.State(n, who, "answered")
				continue
			}
			to.State(n, who, "sent with", tokenNames[p.Token])
		case find:
			m.find(&n, i)
			to.State(n, who, tokenNames[q.Token], [...]string{save: "opens", answer: "opens nothing", done: "opens nothing"}[p.PC])
		case save:
			how := m.save(&n, i)
			to.State(n, who, how)
			if does >= renews && s.Faults > 0 && n.R != s.R {
				n.Faults--
				*p = request{PC: done, Token: nobody, Cookie: nobody}
				to.State(n, who, how+", but its answer does not come back")
			}
		case answer:
			m.arrive(&n, i)
			to.State(n, who, "its answer arrives")
			if q.Cookie != nobody && s.Losses > 0 {
				n := s
				n.Losses--
				n.Q[i] = request{PC: done, Token: nobody, Cookie: nobody}
				to.State(n, who, "its answer is lost")
			}
		}
	}
}

// renewing reports whether another request is under way that renews, if this one does.
func (m *model) renewing(s *state, i int) bool {
	renewal := func(does uint8) bool { return does == renews || does == proves }
	for j, does := range m.does {
		if j != i && renewal(does) && renewal(m.does[i]) && s.Q[j].PC != start && s.Q[j].PC != done {
			return true
		}
	}
	return false
}

// minutes adds that a minute passes. Nothing is under way for so long.
func (m *model) minutes(s state, to *explore.Steps[state]) {
	var renewal, use bool
	for _, q := range s.Q {
		renewal = renewal || q.BeforeRenewal
		use = use || q.BeforeUse
	}
	if s.R.Renewed && !renewal {
		n := s
		n.R.Renewed = false
		to.State(n, "a minute has passed since the renewal")
	}
	if s.JustUse && !use {
		n := s
		n.JustUse = false
		to.State(n, "a minute has passed since the first use")
	}
}

func (s *state) revoke(m *model) {
	s.R.Live, s.Ended = false, true
	if m.rules.tombstoneBare {
		s.R.Prev = nobody
	}
}

var tokenNames = func() (names [16]string) {
	for i := range names {
		names[i] = "token " + strconv.Itoa(i)
	}
	names[visitor], names[nothing], names[nobody] = "a visitor's cookie", "no cookie", "no token"
	return names
}()
