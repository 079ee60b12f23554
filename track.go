package revoke

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"

	"github.com/felixge/httpsnoop"
)

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
		s := &request{m: m, http: r, outer: tracked(r.Context()), before: maps.Clone(w.Header()), began: now()}
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
		next.ServeHTTP(s.wrap(w), s.http)
		panicking = false
		s.begin(w)
	})
}

// begin runs the save step, once, and reports whether the response may go out. It
// may not if the step failed, or if the application's own code panicked in it.
func (s *request) begin(w http.ResponseWriter) bool {
	s.once.Do(func() {
		s.enter(saving)
		cookie, err := s.save(s.ctx)
		if err != nil {
			s.fail(w, err)
			return
		}
		s.write(w, cookie)
		s.enter(saved)
	})
	return s.hasSaved()
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
func (s *request) fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, ErrRevoked): // an event has said so
	case errors.Is(err, ErrMisconfigured):
		s.m.logMistake(s.http.Context(), err)
	default:
		s.storeFailed(err)
	}
	clear(w.Header())
	maps.Copy(w.Header(), s.before)
	for _, setCookie := range s.innerCookies() {
		w.Header().Add("Set-Cookie", setCookie)
	}
	s.m.sm.ErrorFunc(w, s.http, err)
}

// wrap returns w with the save step before its first byte.
func (s *request) wrap(w http.ResponseWriter) http.ResponseWriter {
	w = direct(w)
	return httpsnoop.Wrap(w, httpsnoop.Hooks{
		WriteHeader: func(next httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(code int) {
				// 101 is the only 1xx that ends the exchange of headers.
				informational := code >= 100 && code < 200 && code != http.StatusSwitchingProtocols
				if informational || s.begin(w) {
					next(code)
				}
			}
		},
		Write: func(next httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(b []byte) (int, error) {
				if !s.begin(w) {
					return 0, errReplaced
				}
				return next(b)
			}
		},
		WriteString: func(next httpsnoop.WriteStringFunc) httpsnoop.WriteStringFunc {
			return func(b string) (int, error) {
				if !s.begin(w) {
					return 0, errReplaced
				}
				return next(b)
			}
		},
		ReadFrom: func(next httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(src io.Reader) (int64, error) {
				if !s.begin(w) {
					return 0, errReplaced
				}
				return next(src)
			}
		},
		Flush: func(next httpsnoop.FlushFunc) httpsnoop.FlushFunc {
			return func() {
				s.begin(w)
				next()
			}
		},
		Hijack: func(next httpsnoop.HijackFunc) httpsnoop.HijackFunc {
			return func() (net.Conn, *bufio.ReadWriter, error) {
				if !s.begin(w) {
					return nil, nil, errReplaced
				}
				return next()
			}
		},
	})
}

// direct returns w with the abilities to flush and to hijack as its own, where it
// has them by Unwrap only: a response controller would find its way past the save
// step.
func direct(w http.ResponseWriter) http.ResponseWriter {
	_, flushes := w.(http.Flusher)
	_, hijacks := w.(http.Hijacker)
	addFlush, addHijack := !flushes && reaches[http.Flusher](w), !hijacks && reaches[http.Hijacker](w)
	switch {
	case addFlush && addHijack:
		return struct {
			unwrapper
			flusher
			hijacker
		}{unwrapper{w}, flusher{w}, hijacker{w}}
	case addFlush:
		return struct {
			unwrapper
			flusher
		}{unwrapper{w}, flusher{w}}
	case addHijack:
		return struct {
			unwrapper
			hijacker
		}{unwrapper{w}, hijacker{w}}
	}
	return w
}

func reaches[T any](w http.ResponseWriter) bool {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
		if _, ok := w.(T); ok {
			return true
		}
	}
}

type unwrapper struct{ http.ResponseWriter }

func (u unwrapper) Unwrap() http.ResponseWriter { return u.ResponseWriter }

type flusher struct{ w http.ResponseWriter }

func (f flusher) Flush()            { _ = f.FlushError() }
func (f flusher) FlushError() error { return http.NewResponseController(f.w).Flush() }

type hijacker struct{ w http.ResponseWriter }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(h.w).Hijack()
}
