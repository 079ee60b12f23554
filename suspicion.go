package revoke

import (
	"cmp"
	"slices"
	"time"

	"github.com/revoke-sessions/revoke/internal/recent"
)

// A Burst is more than N events within Per.
type Burst struct {
	N   int
	Per time.Duration
}

// What a Suspicious event has seen, as its Reason.
const (
	ReasonManyRevocations  = "many_revocations"   // one user revoked more often than Burst allows
	ReasonManyRefusals     = "many_refusals"      // one user was refused on more ids than Burst allows
	ReasonRevokedTokenUsed = "revoked_token_used" // the token of a revoked session, from a second network: one of the two is not the user's device
	ReasonRetiredTokenUsed = "retired_token_used" // a token from before a renewal, more than a minute after the new one was used: somebody has an old copy
)

func (m *Manager) burst() Burst {
	if m.Burst == (Burst{}) {
		return Burst{N: 5, Per: 10 * time.Minute}
	}
	return m.Burst
}

// patterns finds what is suspicious in the stream of events.
type patterns struct{ windows *recent.Map[window] }

// maxNetworks bounds the networks from which the use of one dead token is raised.
const maxNetworks = 4

// networks are those from which a dead token was presented.
type networks struct{ seen []string }

// seeNetwork notes that the token of a session which it opens no more was presented,
// and returns the how-manieth network this is; 0 if it was noted before, or is one
// too many.
func (m *Manager) seeNetwork(sessionID string, network string) (nth int) {
	m.deadTokens.With(sessionID, func(n *networks) {
		if len(n.seen) < maxNetworks && !slices.Contains(n.seen, network) {
			n.seen = append(n.seen, network)
			nth = len(n.seen)
		}
	})
	return nth
}

// A window is what was seen of one pattern of one user.
type window struct {
	seen   []sighting // the latest, at most one more than the burst
	raised time.Time
}

type sighting struct {
	id string // if ids are to differ
	at time.Time
}

// see returns an event to raise if e completes a pattern. A pattern is
// raised once, and again only after a burst's time.
func (p *patterns) see(e Event, burst Burst) (suspicious Event, ok bool) {
	var reason, key, id string
	n := burst.N
	switch e.Kind {
	case Revoked, RevokedOthers, RevokedAll:
		reason, key = ReasonManyRevocations, e.UserID
	case Refused:
		reason, key, id = ReasonManyRefusals, e.UserID, cmp.Or(e.SessionID, noID) // malformed ids count as one
	default:
		return Event{}, false
	}
	p.windows.With(reason+" "+shortHash(key), func(w *window) {
		since := e.Time.Add(-burst.Per)
		w.seen = slices.DeleteFunc(w.seen, func(s sighting) bool {
			return !s.at.After(since) || id != "" && s.id == id
		})
		w.seen = append(w.seen, sighting{id, e.Time})
		if ok = len(w.seen) > n && !w.raised.After(since); ok {
			w.raised = e.Time
			suspicious = e
			suspicious.Kind, suspicious.Reason, suspicious.Count = Suspicious, reason, len(w.seen)
		}
		if len(w.seen) > n {
			w.seen = w.seen[1:]
		}
	})
	return suspicious, ok
}
