package revoke

import (
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
	ReasonManyRevocations  = "many_revocations"   // more than a Burst by one user
	ReasonManyRefusals     = "many_refusals"      // on more ids than a Burst, by one user
	ReasonRevokedTokenUsed = "revoked_token_used" // the token of a revoked session was presented
)

func (m *Manager) burst() Burst {
	if m.Burst == (Burst{}) {
		return Burst{N: 5, Per: 10 * time.Minute}
	}
	return m.Burst
}

// patterns finds what is suspicious in the stream of events.
type patterns struct{ windows *recent.Map[window] }

// A window is what was seen of one pattern of one user.
type window struct {
	seen   []sighting // the latest, at most one more than the burst
	raised time.Time
}

type sighting struct {
	id string // where ids are to differ
	at time.Time
}

// see returns an event to raise where e completes a pattern. A pattern is
// raised once, and again only after a burst's time.
func (p *patterns) see(e Event, burst Burst) (suspicious Event, ok bool) {
	var reason, key, id string
	n := burst.N
	switch e.Kind {
	case Revoked, RevokedOthers, RevokedAll:
		reason, key = ReasonManyRevocations, e.UserID
	case Refused:
		reason, key, id = ReasonManyRefusals, e.UserID, e.SessionID
	case RevokedTokenUsed:
		reason, key, n = ReasonRevokedTokenUsed, e.SessionID, 0
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
