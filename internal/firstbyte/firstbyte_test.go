package firstbyte_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/firstbyte"
)

func (f flusher) Flush()                              { f.log.add("flush") }
func (f errorFlusher) FlushError() error              { f.log.add("flush"); return errFlush }
func (p pusher) Push(string, *http.PushOptions) error { p.log.add("push"); return nil }
func (c closeNotifier) CloseNotify() <-chan bool      { c.log.add("notify"); return nil }
func (s stringWriter) WriteString(v string) (int, error) {
	s.log.add("string " + v)
	return len(v), nil
}
func (d deadlineSetter) SetReadDeadline(time.Time) error { d.log.add("deadline"); return nil }
func (u unwrapper) Unwrap() http.ResponseWriter          { return u.w }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.log.add("hijack")
	return nil, nil, errHijack
}

func (r readerFrom) ReadFrom(src io.Reader) (int64, error) {
	b, err := io.ReadAll(src)
	r.log.add("read from " + string(b))
	return int64(len(b)), err
}

type step func() error

func (s step) Begin() error { return s() }

func wrap(w http.ResponseWriter, s step) http.ResponseWriter {
	return firstbyte.Wrap(w, new(firstbyte.Gate), s)
}

// TestAbilities shows that a wrapped writer says of itself that it can do what
// the writer can, by itself or by Unwrap, and no more.
func TestAbilities(t *testing.T) {
	for name, w := range writers(new(trace)) {
		t.Run(name, func(t *testing.T) {
			wrapped := wrap(w, func() error { return nil })
			flushes := reaches[http.Flusher](w) || reaches[errorFlush](w)
			for ability, test := range map[string]struct{ got, want bool }{
				"Flush":       {can[http.Flusher](wrapped), flushes},
				"FlushError":  {can[errorFlush](wrapped), flushes},
				"Hijack":      {can[http.Hijacker](wrapped), reaches[http.Hijacker](w)},
				"Push":        {can[http.Pusher](wrapped), can[http.Pusher](w) && kept["Push"][name]},
				"CloseNotify": {can[notifier](wrapped), can[notifier](w) && kept["CloseNotify"][name]},
			} {
				if test.got != test.want {
					t.Errorf("%s: %v, want %v", ability, test.got, test.want)
				}
			}
		})
	}
}

// ways are all in which a handler can send something. Each returns an error of
// its own if the writer cannot do so.
var ways = map[string]struct {
	send func(http.ResponseWriter) error
	want []string // what reaches the writer, one of these
}{
	"WriteHeader": {
		func(w http.ResponseWriter) error { w.WriteHeader(http.StatusAccepted); return nil }, []string{"header Accepted"},
	},
	"switching protocols": {
		func(w http.ResponseWriter) error { w.WriteHeader(http.StatusSwitchingProtocols); return nil }, []string{"header Switching Protocols"},
	},
	"Write": {
		func(w http.ResponseWriter) error { _, err := w.Write([]byte("hello")); return err }, []string{"write hello"},
	},
	"io.WriteString": {
		func(w http.ResponseWriter) error { _, err := io.WriteString(w, "hello"); return err }, []string{"write hello", "string hello"},
	},
	"io.Copy": {
		func(w http.ResponseWriter) error {
			_, err := io.Copy(w, struct{ io.Reader }{strings.NewReader("hello")})
			return err
		}, []string{"write hello", "read from hello"},
	},
	"Flush": {
		func(w http.ResponseWriter) error {
			f, ok := w.(http.Flusher)
			if !ok {
				return http.ErrNotSupported
			}
			f.Flush()
			return nil
		}, []string{"flush"},
	},
	"a response controller's Flush": {
		func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() }, []string{"flush"},
	},
	"Hijack": {
		func(w http.ResponseWriter) error {
			h, ok := w.(http.Hijacker)
			if !ok {
				return http.ErrNotSupported
			}
			_, _, err := h.Hijack()
			return err
		}, []string{"hijack"},
	},
	"a response controller's Hijack": {
		func(w http.ResponseWriter) error { _, _, err := http.NewResponseController(w).Hijack(); return err }, []string{"hijack"},
	},
}

// TestNothingGoesAroundBegin shows that begin is called before anything reaches
// the writer, whatever the writer, and whatever way the handler takes.
func TestNothingGoesAroundBegin(t *testing.T) {
	for name := range writers(new(trace)) {
		for way, test := range ways {
			t.Run(name+"/"+way, func(t *testing.T) {
				var got trace
				w := wrap(writers(&got)[name], func() error { got.add("begin"); return nil })
				err := test.send(w)
				if errors.Is(err, http.ErrNotSupported) {
					if len(got) != 0 {
						t.Errorf("not supported, but %q", got)
					}
					return
				}
				if err != nil && !errors.Is(err, errFlush) && !errors.Is(err, errHijack) {
					t.Error(err)
				}
				if len(got) != 2 || got[0] != "begin" || !slices.Contains(test.want, got[1]) {
					t.Errorf("did %q", got)
				}
			})
		}
	}
}

// TestNothingIsSentIfBeginFails shows that what takes the place of the handler's
// response is all that is sent.
func TestNothingIsSentIfBeginFails(t *testing.T) {
	for name := range writers(new(trace)) {
		for way, test := range ways {
			t.Run(name+"/"+way, func(t *testing.T) {
				var got trace
				w := wrap(writers(&got)[name], func() error { return errBegin })
				err := test.send(w)
				if errors.Is(err, http.ErrNotSupported) {
					return
				}
				if test.want[0] == "flush" {
					got = slices.DeleteFunc(got, func(what string) bool { return what == "flush" }) // of what took its place
				}
				if len(got) != 0 {
					t.Errorf("did %q", got)
				}
				if way != "WriteHeader" && way != "switching protocols" && way != "Flush" && !errors.Is(err, errBegin) {
					t.Errorf("returned %v", err)
				}
			})
		}
	}
}

func TestInformationalHeadersComeBefore(t *testing.T) {
	var got trace
	w := wrap(plain{&got}, func() error { got.add("begin"); return nil })
	for _, code := range []int{http.StatusContinue, http.StatusEarlyHints, http.StatusProcessing, http.StatusOK} {
		w.WriteHeader(code)
	}
	if want := (trace{"header Continue", "header Early Hints", "header Processing", "begin", "header OK"}); !slices.Equal(got, want) {
		t.Errorf("did %q, want %q", got, want)
	}
}

func TestWhatSendsNothingPassesUnchanged(t *testing.T) {
	var got trace
	begin := func() error { got.add("begin"); return nil }
	wrap(writers(&got)["FP"], begin).(http.Pusher).Push("/style.css", nil)
	for _, name := range []string{"FHC", "FPC"} {
		wrap(writers(&got)[name], begin).(notifier).CloseNotify()
	}
	http.NewResponseController(wrap(writers(&got)["with deadlines behind Unwrap"], begin)).SetReadDeadline(time.Time{})
	if want := (trace{"push", "notify", "notify", "deadline"}); !slices.Equal(got, want) {
		t.Errorf("did %q, want %q", got, want)
	}
}

// TestServersWriters shows that a handler finds in a wrapped writer of net/http
// all that it finds in the writer itself.
func TestServersWriters(t *testing.T) {
	abilities := map[string]func(http.ResponseWriter) bool{
		"Flusher":       can[http.Flusher],
		"Hijacker":      can[http.Hijacker],
		"Pusher":        can[http.Pusher],
		"CloseNotifier": can[notifier],
		"FlushError":    can[errorFlush],
		"StringWriter":  can[io.StringWriter],
		"SetReadDeadline": func(w http.ResponseWriter) bool {
			return http.NewResponseController(w).SetReadDeadline(time.Time{}) == nil
		},
		"SetWriteDeadline": func(w http.ResponseWriter) bool {
			return http.NewResponseController(w).SetWriteDeadline(time.Time{}) == nil
		},
		"EnableFullDuplex": func(w http.ResponseWriter) bool { return http.NewResponseController(w).EnableFullDuplex() == nil },
	}
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			begun := 0
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				wrapped := wrap(w, func() error { begun++; return nil })
				for name, has := range abilities {
					if got, want := has(wrapped), has(w); got != want {
						t.Errorf("%s: %v, want %v", name, got, want)
					}
				}
				if begun != 0 {
					t.Error("begun before anything was sent")
				}
				wrapped.Header().Set("Content-Type", "text/plain")
				io.Copy(wrapped, io.LimitReader(strings.NewReader(r.Proto+" and more"), 8))
			}))
			s.EnableHTTP2 = proto == "HTTP/2.0"
			s.StartTLS()
			defer s.Close()
			resp, err := s.Client().Get(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, _ := io.ReadAll(resp.Body); string(body) != proto || begun == 0 || resp.Header.Get("Content-Type") != "text/plain" {
				t.Errorf("%q, begun %d times, header %v", body, begun, resp.Header)
			}
		})
	}
}

func TestHijackOfAConnection(t *testing.T) {
	type onlyUnwrap struct {
		http.ResponseWriter
		unwrapper
	}
	begun := make(chan bool, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = wrap(onlyUnwrap{w, unwrapper{w}}, func() error { begun <- true; return nil })
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	}))
	defer s.Close()
	resp, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent || len(begun) != 1 {
		t.Errorf("%d, begun %d times", resp.StatusCode, len(begun))
	}
}

func TestAllocations(t *testing.T) {
	g, begin := new(firstbyte.Gate), step(func() error { return nil })
	for name, w := range writers(new(trace)) {
		if n := testing.AllocsPerRun(100, func() { firstbyte.Wrap(w, g, begin) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
