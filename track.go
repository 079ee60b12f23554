package revoke

import (
	"errors"
	"net/http"
	"slices"

	"github.com/revoke-sessions/revoke/internal/firstbyte"
)

var errReplaced = errors.New("revoke: the session could not be saved, and the response was replaced by an error")

// Track takes the place of scs's LoadAndSave: it loads the session of each
// request, and saves it before the first byte of the response goes out.
//
// A write that finds its session revoked is dropped, and the response is
// delivered all the same. Where a store fails, the response is the one of
// [scs.SessionManager.ErrorFunc] and nothing else, and neither the session nor
// the cookie is lost. Of several cookies of the name, the first that opens a
// session counts.
//
// A response sets or clears the cookie for what its own request has done, and
// never for what others have: by the time it arrives, the browser may hold the
// cookie of a newer session.
func (m *Manager) Track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.request(r.Context()) != nil {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", "Cookie")
		s := &request{m: m, http: r}
		if err := s.load(); err != nil {
			s.fail(w, err)
			return
		}
		panicking := true
		defer func() {
			if panicking {
				s.abandon()
			}
		}()
		s.http = r.WithContext(s.ctx)
		for name := range w.Header() {
			s.before = append(s.before, name)
		}
		next.ServeHTTP(firstbyte.Wrap(w, func() error {
			if !s.begin(w) {
				return errReplaced
			}
			return nil
		}), s.http)
		panicking = false
		s.begin(w)
	})
}

// begin runs the save step, once, and reports whether the response may go out.
func (s *request) begin(w http.ResponseWriter) bool {
	s.once.Do(func() {
		s.enter(saving)
		s.failed = true // also where the application's own code panics in it
		if err := s.save(w); err != nil {
			s.fail(w, err)
		} else {
			s.failed = false
		}
		s.enter(saved)
	})
	return !s.failed
}

// fail answers with an error in the place of the handler's response, of which no
// header is left.
func (s *request) fail(w http.ResponseWriter, err error) {
	s.storeFailed(err)
	for name := range w.Header() {
		if s.before != nil && !slices.Contains(s.before, name) {
			w.Header().Del(name)
		}
	}
	s.m.sm.ErrorFunc(w, s.http, err)
}
