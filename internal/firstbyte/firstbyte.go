// Package firstbyte puts a step before the first byte of a response.
package firstbyte

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// A Step is what comes before the first byte. A writer calls Begin more than once:
// it must do its work the first time, and return the same error from then on, as
// [sync.OnceValue] has it.
type Step interface{ Begin() error }

// A Gate does what every writer can. It lies in something else that is allocated for
// each response.
type Gate struct {
	http.ResponseWriter
	step Step
}

// Wrap returns a writer that runs the step before it passes anything on to w. The writer
// is kept in g. If the step fails, nothing of the handler's response goes out, and the handler's
// calls return its error. Informational headers, and what [http.Pusher] pushes, do not
// wait for it.
//
// If a handler can flush or hijack w, by a type assertion or by an
// [http.ResponseController], it can do the same with the writer, and otherwise it cannot.
// If w has the methods of a writer of net/http, Push on HTTP/2 and CloseNotify, the writer
// has them too. A handler reaches the rest of w by Unwrap.
func Wrap(w http.ResponseWriter, g *Gate, step Step) http.ResponseWriter {
	*g = Gate{w, step}
	_, notifies := w.(closeNotifier)
	_, pushes := w.(http.Pusher)
	flushes := reaches[http.Flusher](w) || reaches[interface{ FlushError() error }](w)
	hijacks := reaches[http.Hijacker](w)
	// The types hold a pointer and nothing else, so that none of them is allocated.
	switch {
	case flushes && hijacks && notifies:
		return http1{flushHijacker{flusher{g}}}
	case flushes && hijacks:
		return flushHijacker{flusher{g}}
	case flushes && pushes && notifies:
		return http2{flushPusher{flusher{g}}}
	case flushes && pushes:
		return flushPusher{flusher{g}}
	case flushes:
		return flusher{g}
	case hijacks:
		return hijacker{g}
	}
	return g
}

// reaches reports whether w has a method, or an [http.ResponseController] finds it
// by w.Unwrap. If the writer did not have the method itself, the controller would
// find its way around the step.
func reaches[Method any](w http.ResponseWriter) bool {
	for {
		if _, ok := w.(Method); ok {
			return true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}

func (g *Gate) Unwrap() http.ResponseWriter { return g.ResponseWriter }

func (g *Gate) WriteHeader(code int) {
	// 101 is the only 1xx after which no other header comes.
	informational := 100 <= code && code < 200 && code != http.StatusSwitchingProtocols
	if informational || g.step.Begin() == nil {
		g.ResponseWriter.WriteHeader(code)
	}
}

func (g *Gate) Write(b []byte) (int, error) {
	if err := g.step.Begin(); err != nil {
		return 0, err
	}
	return g.ResponseWriter.Write(b)
}

func (g *Gate) WriteString(s string) (int, error) {
	if err := g.step.Begin(); err != nil {
		return 0, err
	}
	return io.WriteString(g.ResponseWriter, s)
}

func (g *Gate) ReadFrom(src io.Reader) (int64, error) {
	if err := g.step.Begin(); err != nil {
		return 0, err
	}
	return io.Copy(g.ResponseWriter, src)
}

// flush flushes also if the step fails, so that what is sent in place of the response
// does not wait for the handler to return.
func (g *Gate) flush() error {
	err := g.step.Begin()
	flushed := http.NewResponseController(g.ResponseWriter).Flush()
	if err != nil {
		return err
	}
	return flushed
}

func (g *Gate) hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := g.step.Begin(); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(g.ResponseWriter).Hijack()
}

func (g *Gate) push(target string, opts *http.PushOptions) error {
	return g.ResponseWriter.(http.Pusher).Push(target, opts)
}

func (g *Gate) closeNotify() <-chan bool { return g.ResponseWriter.(closeNotifier).CloseNotify() }

// closeNotifier is http.CloseNotifier, which is deprecated, and which gin needs to stream.
type closeNotifier interface{ CloseNotify() <-chan bool }

type (
	flusher       struct{ *Gate }
	hijacker      struct{ *Gate }
	flushHijacker struct{ flusher }
	flushPusher   struct{ flusher }
	http1         struct{ flushHijacker } // as of a HTTP/1 connection
	http2         struct{ flushPusher }   // as of a HTTP/2 stream
)

func (w flusher) Flush()                                             { _ = w.flush() }
func (w flusher) FlushError() error                                  { return w.flush() }
func (w hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error)      { return w.hijack() }
func (w flushHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }
func (w flushPusher) Push(target string, o *http.PushOptions) error  { return w.push(target, o) }
func (w http1) CloseNotify() <-chan bool                             { return w.closeNotify() }
func (w http2) CloseNotify() <-chan bool                             { return w.closeNotify() }
