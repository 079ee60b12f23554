package revoke

import (
	"errors"
	"maps"
	"net/http"

	"github.com/revoke-sessions/revoke/internal/firstbyte"
)

// Track takes the place of scs's LoadAndSave: it loads the session of each request,
// and saves it before the first byte of the response goes out.
//
// If the session was revoked meanwhile, nothing is written, and the response is
// delivered all the same. If a store fails, the client gets the response of
// [scs.SessionManager.ErrorFunc] and nothing of the handler's; neither the session nor
// the cookie is lost.
//
// If a request has several cookies of the name, the first that opens a session counts.
// After one whose session was revoked, or cannot be decoded, only a session of the same
// user opens.
//
// A response sets or clears the cookie only for what its own request has done. By the
// time it arrives, the browser may hold the cookie of a newer session.
func (m *Manager) Track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.request(r.Context()) != nil {
			next.ServeHTTP(w, r)
			return
		}
		s := &request{Context: r.Context(), m: m, http: r, w: w, outer: tracked(r.Context()), began: now()}
		if len(w.Header()) > 0 {
			s.before = maps.Clone(w.Header())
		}
		m.vary(w.Header())
		if err := s.load(); err != nil {
			s.fail(err)
			return
		}
		panicking := true
		defer func() {
			if panicking {
				s.abandon()
			}
		}()
		s.http = r.WithContext(s.ctx)
		next.ServeHTTP(firstbyte.Wrap(w, &s.gate, s), s.http)
		panicking = false
		_ = s.Begin()
	})
}

// Begin runs the save step, once. It returns an error if the response may not go
// out: if the step failed, or if the application's own code panicked in it.
func (s *request) Begin() error {
	s.once.Do(func() {
		s.enter(saving)
		cookie, err := s.save(s.ctx)
		if err != nil {
			s.fail(err)
			return
		}
		s.write(cookie)
		s.enter(saved)
	})
	if !s.hasSaved() {
		return errReplaced
	}
	return nil
}

// abandon runs in the place of the save step if the handler panics: what was to
// end ends, and nothing is written.
func (s *request) abandon() {
	s.once.Do(func() {
		s.enter(saving)
		if at := s.membership(); at.standing == live && s.m.userID(s.ctx) != at.userID {
			if err := s.logOut(s.ctx, at); err != nil {
				s.storeFailed(err)
			}
		}
		s.enter(saved)
	})
}

// fail answers with an error in the place of the handler's response, of which no
// header is left.
func (s *request) fail(err error) {
	switch {
	case errors.Is(err, ErrRevoked), errors.Is(err, errUnreadable): // an event has said so
	case errors.Is(err, ErrMisconfigured):
		s.m.logMistake(s.http.Context(), err)
	default:
		s.storeFailed(err)
	}
	header := s.w.Header()
	clear(header)
	maps.Copy(header, s.before)
	s.m.vary(header)
	for _, setCookie := range s.innerCookies() {
		header.Add("Set-Cookie", setCookie)
	}
	s.m.sm.ErrorFunc(s.w, s.http, err)
}

// vary says which headers of the request the response depends on.
func (m *Manager) vary(h http.Header) {
	on := append(make([]string, 0, 2), "Cookie")
	if m.takesTokens() {
		on = append(on, "Authorization")
	}
	h["Vary"] = append(h["Vary"], on...)
}
