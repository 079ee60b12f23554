package revoke_test

import (
	"bufio"
	"bytes"
	"context"
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
			s := newServer(t, store.NewMemory(), func(s *server) {
				s.handle("GET /stream", func(w http.ResponseWriter, r *http.Request) {
					s.sessions.Login(r.Context(), "ann")
					if err := flush(w); err != nil {
						t.Error(err)
					}
					<-next
					io.WriteString(w, "second")
				})
			})
			resp, err := http.Get(s.URL + "/stream")
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
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.handle("POST /control", func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			if err := errors.Join(rc.SetReadDeadline(time.Now().Add(time.Minute)), rc.SetWriteDeadline(time.Now().Add(time.Minute)), rc.EnableFullDuplex()); err != nil {
				t.Error(err)
			}
			if _, ok := w.(io.ReaderFrom); !ok {
				t.Error("Track hides io.ReaderFrom")
			}
			s.sm.Put(r.Context(), "copied", true)
			if n, err := io.Copy(w, strings.NewReader("copied")); n != 6 || err != nil {
				t.Error(n, err)
			}
		})
	})
	b := s.signedIn(t, "ann")
	if got := b.post("/control"); got.body != "copied" {
		t.Errorf("%d %q", got.status, got.body)
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
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.handle("GET /hijack", func(w http.ResponseWriter, r *http.Request) {
			s.sm.Put(r.Context(), "seen", "yes")
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
		s.handle("GET /seen", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s.sm.GetString(r.Context(), "seen")) })
	})
	b := s.signedIn(t, "ann")
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /hijack HTTP/1.1\r\nHost: x\r\nCookie: session=%s\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n", b.cookie)
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	if line, _ := reader.ReadString('\n'); line != "hello\n" {
		t.Errorf("echoed %q", line)
	}
	if got := b.get("/seen"); got.body != "yes" {
		t.Errorf("what was put before the hijack is lost: %q", got.body)
	}
}

func TestInformationalResponses(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.handle("POST /hints", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			s.sessions.Login(r.Context(), "ann")
			w.WriteHeader(http.StatusAccepted)
		})
	})
	var hints []int
	r, _ := http.NewRequest("POST", s.URL+"/hints", nil)
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
	s := newServer(t, store.NewMemory())
	b := s.signedIn(t, "ann")
	if got := b.do("HEAD", "/me"); got.status != http.StatusOK || got.header.Get("Content-Length") != "3" {
		t.Errorf("%d, %v", got.status, got.header)
	}
}

// TestTwoCookies shows that of several cookies of the name the live one wins,
// wherever it stands.
func TestTwoCookies(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.handle("POST /visit", func(w http.ResponseWriter, r *http.Request) { s.sm.Put(r.Context(), "cart", "book") })
		s.handle("GET /cart", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s.sm.GetString(r.Context(), "cart")) })
	})
	live, dead := s.signedIn(t, "ann"), s.signedIn(t, "ann")
	token := dead.cookie
	dead.post("/logout")
	for _, cookies := range []string{
		"session=" + live.cookie + "; session=" + token,
		"session=" + token + "; session=" + live.cookie,
		"session=garbage; session=; session=" + live.cookie,
	} {
		b := &browser{t: t, s: s, header: http.Header{"Cookie": {cookies}}}
		if got, cookie, set := b.send("GET", "/me"); got.body != "ann" || set {
			t.Errorf("%s: %d %q, cookie set to %q", cookies, got.status, got.body, cookie)
		}
	}
	visitor := s.browser(t)
	visitor.post("/visit")
	b := &browser{t: t, s: s, header: http.Header{"Cookie": {"session=" + token + "; session=" + visitor.cookie}}}
	if got, cookie, set := b.send("GET", "/cart"); got.body != "book" || set {
		t.Errorf("a dead cookie beside a visitor's: %q, cookie set to %q", got.body, cookie)
	}
	many := strings.Repeat("session=garbage; ", 50) + "session=" + live.cookie
	b = &browser{t: t, s: s, header: http.Header{"Cookie": {many}}}
	if got := b.get("/me"); got.status != http.StatusUnauthorized {
		t.Errorf("51 cookies were all looked up: %d", got.status)
	}
}

func TestUndecodableData(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st)
		b := s.signedIn(t, "ann")
		user, id, _ := strings.Cut(b.cookie[:45], ".")
		r, err := st.Find(context.Background(), user, id)
		if err != nil {
			t.Fatal(err)
		}
		r.Data = []byte("\xffneither CBOR nor gob")
		if err := st.Update(context.Background(), r, r.Secret); err != nil {
			t.Fatal(err)
		}
		if got := b.get("/me"); got.status != http.StatusUnauthorized || b.cookie != "" {
			t.Errorf("%d %q, cookie %q", got.status, got.body, b.cookie)
		}
		if n := s.log.count(revoke.Undecodable); n != 1 || bytes.Count([]byte(s.log.String()), []byte("\n")) != 2 {
			t.Errorf("%d lines say so in:\n%s", n, s.log)
		}
		visitor := s.browser(t)
		visitor.cookie = strings.Repeat("v", 43)
		s.visitors.Commit(visitor.cookie, []byte("neither"), time.Now().Add(time.Hour))
		if got := visitor.get("/me"); got.status != http.StatusUnauthorized || visitor.cookie != "" {
			t.Errorf("visitor: %d %q, cookie %q", got.status, got.body, visitor.cookie)
		}
	})
}

// TestTamperedData shows what an attacker gets who can write to the store: no
// session, and a line in the log.
func TestTamperedData(t *testing.T) {
	memory := store.NewMemory()
	s := newServer(t, encrypted(t, memory))
	b, other := s.signedIn(t, "ann"), s.signedIn(t, "ann")
	for name, tamper := range map[string]func(r, other store.Record) store.Record{
		"swapped":  func(r, other store.Record) store.Record { r.Data = other.Data; return r },
		"plain":    func(r, _ store.Record) store.Record { r.Data = []byte("{}"); return r },
		"cut":      func(r, _ store.Record) store.Record { r.Data = r.Data[:20]; return r },
		"exchange": func(r, _ store.Record) store.Record { r.Data, r.Client = r.Client, r.Data; return r },
	} {
		t.Run(name, func(t *testing.T) {
			before := s.log.count(revoke.Undecodable)
			b := s.signedIn(t, "ann")
			find := func(b *browser) store.Record {
				r, err := memory.Find(t.Context(), b.cookie[:22], b.id())
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			r := tamper(find(b), find(other))
			if err := memory.Update(t.Context(), r, r.Secret); err != nil {
				t.Fatal(err)
			}
			id := b.id()
			if got := b.get("/me"); got.status != http.StatusUnauthorized || b.cookie != "" {
				t.Errorf("%d %q, cookie %q", got.status, got.body, b.cookie)
			}
			if got := s.log.count(revoke.Undecodable) - before; got != 1 {
				t.Errorf("%d lines say so", got)
			}
			if got := other.delete(apiPath + "/" + id); got.status != http.StatusOK {
				t.Errorf("a tampered session cannot be revoked: %d", got.status)
			}
		})
	}
	if got := b.get("/me"); got.body != "ann" {
		t.Errorf("another session: %d %q", got.status, got.body)
	}
}

// TestUnencodableData shows that a value that cannot be stored is an error in
// the place of the response, and not behind it.
func TestUnencodableData(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.handle("POST /put", func(w http.ResponseWriter, r *http.Request) {
			s.sm.Put(r.Context(), "bad", func() {})
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "whole")
		})
	})
	b := s.signedIn(t, "ann")
	if got := b.post("/put"); got.status != http.StatusInternalServerError || problemCode(t, got) != "misconfigured" || b.cookie == "" {
		t.Errorf("%d %q", got.status, got.body)
	}
	if got := b.get("/me"); got.body != "ann" {
		t.Errorf("the session is lost: %d", got.status)
	}
}

func TestNestedTrack(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		inner := http.NewServeMux()
		inner.HandleFunc("POST /inner", func(w http.ResponseWriter, r *http.Request) { s.sm.RenewToken(r.Context()) })
		s.mux.Handle("/inner", s.sessions.Track(inner))
	})
	b := s.signedIn(t, "ann")
	got := b.post("/inner")
	if got.status != http.StatusOK || len(got.header["Set-Cookie"]) != 1 {
		t.Errorf("%d, cookies %q", got.status, got.header["Set-Cookie"])
	}
}

func TestTrackInsideLoadAndSave(t *testing.T) {
	s := newServer(t, store.NewMemory())
	h := s.sm.LoadAndSave(s.sessions.Track(s.mux))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/me", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(s.log.String(), "LoadAndSave") {
		t.Errorf("%d, log %s", w.Code, s.log)
	}
}
