package proof_test

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/revoke-sessions/revoke/proof/internal/site"
)

// understand says in the model's words what was answered, and learns from it.
func (h *history) understand(in input, a site.Answer) output {
	switch {
	case in.kind == prove && a.Status == 503 && a.Update == site.Stale: // another has renewed the token
		return output{answer: droppedStale}
	case a.Unknown():
		return output{answer: unknown}
	case a.Status == 401 && a.Code == "session_revoked" && reasons[a.Reason] != 0:
		return output{answer: told, why: reasons[a.Reason]}
	case a.Status == 401 && a.Code == "unauthenticated":
		return output{answer: nobody}
	case a.Status == 404 && a.Code == "session_not_found" && in.kind == revokeOne:
		return output{answer: notFound}
	case a.Status != 200:
		h.note("%v by %d: answered %d %q %q", in.kind, in.actor, a.Status, a.Code, a.Reason)
		return output{answer: unknown}
	}
	out := output{answer: done}
	switch in.kind {
	case oldSignIn:
		h.issued(in, a.Cookie)
	case signIn, renew, prove:
		switch {
		case a.Cookie != "":
			h.issued(in, a.Cookie)
			h.learn(site.ID(a.Cookie), in.actor)
		case a.Update == site.Ended:
			out.answer = droppedEnded
		case a.Update == site.Stale:
			out.answer = droppedStale
		case in.kind == renew:
			out.answer = skipped
		default:
			h.note("%v by %d: answered with neither a cookie nor why", in.kind, in.actor)
			out.answer = unknown
		}
	case use:
		if a.User != h.user {
			h.note("session %d of %s opened one of %q", in.actor, h.user, a.User)
		}
	case list:
		for _, listed := range a.Sessions {
			number, err := strconv.Atoi(strings.TrimPrefix(listed.UserAgent, h.user+"/"))
			if err != nil || number >= len(h.browsers) {
				h.note("a list for %s has a session of %q", h.user, listed.UserAgent)
				continue
			}
			if out.sessions.has(number) || listed.Current != (number == in.actor) {
				h.note("session %d is listed twice, or as current by mistake", number)
			}
			out.sessions |= 1 << number
			h.learn(listed.ID, number)
		}
	}
	return out
}

// issued notes a new token.
func (h *history) issued(in input, cookie string) {
	b := h.browsers[in.actor]
	b.tokens = append(b.tokens, token{in.fresh, cookie})
}

// learn notes a session's id, which must stay the same and be its own.
func (h *history) learn(id string, session int) {
	b := h.browsers[session]
	if number, known := h.named[id]; known && number != session || b.id != "" && b.id != id || id == "" {
		h.note("session %d has the ids %q and %q", session, b.id, id)
	}
	b.id, h.named[id] = id, session
}

func (h *history) note(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}
