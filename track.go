package revoke

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/felixge/httpsnoop"
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
		next.ServeHTTP(s.wrap(w), r.WithContext(s.ctx))
		panicking = false
		s.begin(w)
	})
}

// begin runs the save step, once, and reports whether the response may go out.
func (s *request) begin(w http.ResponseWriter) bool {
	s.once.Do(func() {
		s.enter(saving)
		if err := s.save(w); err != nil {
			s.failed = true
			s.fail(w, err)
		}
		s.enter(saved)
	})
	return !s.failed
}

// fail answers with an error in the place of the handler's response, of which
// no header may be left that speaks of the body.
func (s *request) fail(w http.ResponseWriter, err error) {
	s.storeFailed(err)
	h := w.Header()
	for _, name := range []string{
		"Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language",
		"Content-Length", "Content-Range", "Content-Type", "Etag", "Expires", "Last-Modified", "Location", "Trailer",
	} {
		h.Del(name)
	}
	s.m.sm.ErrorFunc(w, s.http, err)
}

// wrap returns w with the save step before its first byte.
func (s *request) wrap(w http.ResponseWriter) http.ResponseWriter {
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
