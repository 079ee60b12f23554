package revoke_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestStreaming shows that what is flushed arrives while the handler still
// runs, with the cookie of a sign-in in front of it.
func TestStreaming(t *testing.T) {
	for name, flush := range map[string]func(http.ResponseWriter) error{
		"Flusher":            func(w http.ResponseWriter) error { w.(http.Flusher).Flush(); return nil },
		"ResponseController": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			next := make(chan struct{})
			app := testapp.New(t, store.NewMemory())
			app.Handle("GET /stream", func(w http.ResponseWriter, r *http.Request) {
				app.Sessions.Login(r.Context(), "ann")
				if err := flush(w); err != nil {
					t.Error(err)
				}
				<-next
				io.WriteString(w, "second")
			})
			resp, err := http.Get(app.Server.URL + "/stream")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if len(resp.Cookies()) != 1 {
				t.Error("no cookie in front of a flushed response")
			}
			close(next)
			if body, _ := io.ReadAll(resp.Body); string(body) != "second" {
				t.Errorf("streamed %q", body)
			}
		})
	}
}

func TestResponseController(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Handle("POST /control", func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := errors.Join(rc.SetReadDeadline(time.Now().Add(time.Minute)), rc.SetWriteDeadline(time.Now().Add(time.Minute)), rc.EnableFullDuplex()); err != nil {
			t.Error(err)
		}
		if _, ok := w.(io.ReaderFrom); !ok {
			t.Error("Track hides io.ReaderFrom")
		}
		app.SCS.Put(r.Context(), "copied", true)
		if n, err := io.Copy(w, strings.NewReader("copied")); n != 6 || err != nil {
			t.Error(n, err)
		}
	})
	b := app.SignedIn(t, "ann")
	if got := b.Post("/control"); got.Body != "copied" {
		t.Errorf("%d %q", got.Status, got.Body)
	}
}

// TestWriterIsNoMoreThanItWas shows that Track claims no ability that the
// writer below it lacks.
func TestWriterIsNoMoreThanItWas(t *testing.T) {
	type plain struct{ http.ResponseWriter }
	sm := scs.New()
	h := revoke.New(sm, store.NewMemory()).Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := w.(http.Hijacker); ok {
			t.Error("a writer that cannot be hijacked came out as one that can")
		}
		if _, ok := w.(http.Flusher); ok {
			t.Error("a writer that cannot flush came out as one that can")
		}
	}))
	h.ServeHTTP(plain{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil))
}

func TestHijack(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Handle("GET /hijack", func(w http.ResponseWriter, r *http.Request) {
		app.SCS.Put(r.Context(), "seen", "yes")
		conn, buffer, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(buffer, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		buffer.Flush()
		line, _ := buffer.ReadString('\n')
		fmt.Fprint(buffer, line)
		buffer.Flush()
	})
	app.Handle("GET /seen", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, app.SCS.GetString(r.Context(), "seen"))
	})
	b := app.SignedIn(t, "ann")
	conn, err := net.Dial("tcp", app.Server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /hijack HTTP/1.1\r\nHost: x\r\nCookie: session=%s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n", b.Cookie)
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	if line, _ := reader.ReadString('\n'); line != "hello\n" {
		t.Errorf("echoed %q", line)
	}
	if got := b.Get("/seen"); got.Body != "yes" {
		t.Errorf("what was put before the hijack is lost: %q", got.Body)
	}
}

func TestInformationalResponses(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Handle("POST /hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		app.Sessions.Login(r.Context(), "ann")
		w.WriteHeader(http.StatusAccepted)
	})
	var hints []int
	r, _ := http.NewRequest("POST", app.Server.URL+"/hints", nil)
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, code)
			if h.Get("Set-Cookie") != "" {
				t.Error("a cookie in an informational response")
			}
			return nil
		},
	}))
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !slices.Equal(hints, []int{http.StatusEarlyHints}) || resp.StatusCode != http.StatusAccepted || len(resp.Cookies()) != 1 {
		t.Errorf("hints %v, then %d with cookies %v", hints, resp.StatusCode, resp.Cookies())
	}
}

func TestHTTP2(t *testing.T) {
	sm := scs.New()
	sessions := revoke.New(sm, store.NewMemory())
	server := httptest.NewUnstartedServer(sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sessions.Login(r.Context(), "ann")
		http.NewResponseController(w).Flush()
		io.WriteString(w, r.Proto)
	})))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "HTTP/2.0" || len(resp.Cookies()) != 1 {
		t.Errorf("%q, cookies %v", body, resp.Cookies())
	}
}

func TestHead(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	b := app.SignedIn(t, "ann")
	if got := b.Do("HEAD", "/me"); got.Status != http.StatusOK || got.Header.Get("Content-Length") != "3" {
		t.Errorf("%d, %v", got.Status, got.Header)
	}
}

func TestNestedTrack(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	inner := http.NewServeMux()
	inner.HandleFunc("POST /inner", func(w http.ResponseWriter, r *http.Request) { app.SCS.RenewToken(r.Context()) })
	app.Mux.Handle("/inner", app.Sessions.Track(inner))
	b := app.SignedIn(t, "ann")
	got := b.Post("/inner")
	if got.Status != http.StatusOK || len(got.Header["Set-Cookie"]) != 1 {
		t.Errorf("%d, cookies %q", got.Status, got.Header["Set-Cookie"])
	}
}

func TestTrackInsideLoadAndSave(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	h := app.SCS.LoadAndSave(app.Sessions.Track(app.Mux))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/me", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(app.Log.String(), "LoadAndSave") {
		t.Errorf("%d, log %s", w.Code, app.Log)
	}
}

// onlyUnwrap is what many a logging middleware hands on.
type onlyUnwrap struct{ http.ResponseWriter }

func (o onlyUnwrap) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func TestFlushThroughUnwrap(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Handle("POST /flush", func(w http.ResponseWriter, r *http.Request) {
		app.Sessions.Login(r.Context(), "ann")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		io.WriteString(w, "whole")
	})
	tracked := app.Handler
	app.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tracked.ServeHTTP(onlyUnwrap{w}, r) })
	b := app.Browser(t)
	if got := b.Post("/flush"); got.Body != "whole" || b.Get("/me").Body != "ann" {
		t.Errorf("%d %q, cookie %q", got.Status, got.Body, b.Cookie)
	}
}

// TestPanicInTheSaveStep shows that nothing goes out where the application's own
// code panics in the save step, even if a handler recovers.
func TestPanicInTheSaveStep(t *testing.T) {
	sm := scs.New()
	m := revoke.New(sm, store.NewMemory())
	m.Describe = func(*http.Request) map[string]string { panic("in a hook") }
	h := m.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			recover()
			io.WriteString(w, "welcome")
		}()
		m.Login(r.Context(), "ann")
		io.WriteString(w, "welcome")
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	if w.Body.Len() != 0 {
		t.Errorf("answered %q", w.Body)
	}
}
