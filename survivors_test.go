package revoke_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// brokenStore fails where it handles more than one session at a time.
type brokenStore struct{ store.Store }

var errBroken = errors.New("broken")

func (brokenStore) List(context.Context, string) ([]store.Record, error) { return nil, errBroken }
func (brokenStore) RevokeEveryone(context.Context) error                 { return errBroken }

// TestListThatFails shows that a list which cannot be had is not an empty one.
func TestListThatFails(t *testing.T) {
	s := newServer(t, brokenStore{store.NewMemory()})
	b := s.signedIn(t, "ann")
	if got := b.get(apiPath); got.status != http.StatusServiceUnavailable || strings.Contains(got.body, "sessions\":") {
		t.Errorf("%d %q", got.status, got.body)
	}
	if sessions, err := s.sessions.List(t.Context(), "ann"); !errors.Is(err, errBroken) || sessions != nil {
		t.Errorf("%v, %v", sessions, err)
	}
}

// TestRevokeEveryoneThatFails shows that the log claims nothing that was not done.
func TestRevokeEveryoneThatFails(t *testing.T) {
	s := newServer(t, brokenStore{store.NewMemory()})
	b := s.signedIn(t, "ann")
	if err := s.sessions.RevokeEveryone(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("the error is %v", err)
	}
	if got := s.log.kinds(t); !slices.Equal(got, []string{"signed_in", "store_failed"}) {
		t.Errorf("logged %v", got)
	}
	if got := b.get("/me"); got.body != "ann" {
		t.Errorf("%d %q", got.status, got.body)
	}
}

// withCart adds what a shop does: a cart, and MergeSession.
func withCart(t *testing.T) func(*server) {
	return func(s *server) {
		s.handle("GET /cart", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s.sm.GetString(r.Context(), "cart")) })
		s.handle("POST /cart", func(_ http.ResponseWriter, r *http.Request) { s.sm.Put(r.Context(), "cart", "book") })
		s.handle("POST /merge", func(_ http.ResponseWriter, r *http.Request) {
			if err := s.sm.MergeSession(r.Context(), r.FormValue("token")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMergeLeavesNoVisitor shows that a visitor's token opens nothing once a
// signed-in session was merged into the visitor's.
func TestMergeLeavesNoVisitor(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, withCart(t))
		source, b := s.signedIn(t, "ann"), s.browser(t)
		b.post("/cart")
		visitor := &browser{t: t, s: s, cookie: b.cookie}
		if got := visitor.get("/cart"); got.body != "book" {
			t.Fatalf("before: %d %q", got.status, got.body)
		}
		b.post("/merge?token=" + source.cookie)
		if got := b.get("/cart"); got.body != "book" || b.id() != source.id() {
			t.Errorf("merged: %d %q", got.status, got.body)
		}
		if got := visitor.get("/cart"); got.body != "" {
			t.Errorf("the visitor's token still opens %q", got.body)
		}
	})
}

// TestMergeOfPlainSCS shows that a session that was signed in before revoke came
// is taken over by a merge, as one session, and that its old token is dead.
func TestMergeOfPlainSCS(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		eachStore(t, func(t *testing.T, st store.Store) {
			s := newServer(t, st, withCart(t), func(s *server) { s.sm.HashTokenInStore = hashed })
			source := s.browser(t)
			source.s = newPlainServer(t, s)
			source.post("/login?user=ann")
			source.s = s
			b := s.browser(t)
			b.post("/cart")
			b.post("/merge?token=" + source.cookie)
			if got := b.get("/me"); got.body != "ann" {
				t.Fatalf("hashed %v: merged: %d %q", hashed, got.status, got.body)
			}
			if got := b.get("/cart"); got.body != "book" {
				t.Errorf("hashed %v: what the visitor had: %q", hashed, got.body)
			}
			if got := list(t, s, "ann"); len(got) != 1 || got[0].ID != b.id() {
				t.Errorf("hashed %v: the sessions are %+v", hashed, got)
			}
			if got := source.get("/me"); got.status != http.StatusUnauthorized {
				t.Errorf("hashed %v: the old token still opens: %q", hashed, got.body)
			}
			if err := s.sessions.Revoke(t.Context(), "ann", b.id()); err != nil {
				t.Fatal(err)
			}
			if got := b.get("/me"); got.status != http.StatusUnauthorized {
				t.Errorf("hashed %v: revoked: %d %q", hashed, got.status, got.body)
			}
		})
	}
}

// TestEvictionByAdoption shows that a session that has to go for an adopted one
// is in the log.
func TestEvictionByAdoption(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) { s.sessions.MaxPerUser = 1 })
		first, b := s.signedIn(t, "ann"), s.browser(t)
		b.s = newPlainServer(t, s)
		b.post("/login?user=ann")
		b.s = s
		if got := b.get("/me"); got.body != "ann" {
			t.Fatalf("%d %q", got.status, got.body)
		}
		if got := s.log.kinds(t); !slices.Equal(got, []string{"signed_in", "adopted", "evicted"}) {
			t.Fatalf("logged %v", got)
		}
		evicted := s.log.last(t)
		if evicted["session.id"] != first.id() || evicted["actor.session.id"] != b.id() || evicted["user.id"] != "ann" {
			t.Errorf("logged %v", evicted)
		}
	})
}

// last returns the event that was logged last.
func (l *logBuffer) last(t *testing.T) (e map[string]any) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestWatchHearsOfExpiry shows that a session that expires is watched no longer
// than five seconds on: sooner than any session is looked up without a reason.
func TestWatchHearsOfExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sm := newPlainManager()
		sm.Lifetime = 20 * time.Second
		m := revoke.New(sm, store.NewMemory())
		login := httptest.NewRecorder()
		m.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			m.Login(r.Context(), "ann")
		})).ServeHTTP(login, httptest.NewRequest("POST", "/", nil))
		var watched context.Context
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(login.Result().Cookies()[0])
		m.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			watched, _ = m.Watch(context.WithoutCancel(r.Context()))
		})).ServeHTTP(httptest.NewRecorder(), r)
		time.Sleep(19 * time.Second)
		if watched.Err() != nil {
			t.Fatalf("ended early: %v", context.Cause(watched))
		}
		time.Sleep(7 * time.Second)
		if !errors.Is(context.Cause(watched), revoke.ErrUnauthenticated) {
			t.Errorf("six seconds after its end: %v", context.Cause(watched))
		}
		time.Sleep(time.Minute) // the watch has nothing left, and ends
	})
}

// TestFourthCookie shows that of several cookies of the name the first four are
// tried, and no more.
func TestFourthCookie(t *testing.T) {
	s := newServer(t, store.NewMemory())
	signedIn := s.signedIn(t, "ann").cookie
	for before, want := range map[int]string{0: "ann", 3: "ann", 4: "nobody\n"} {
		b := s.browser(t)
		for i := range before {
			b.cookie += fmt.Sprintf("%d%s; session=", i, strings.Repeat("x", 42))
		}
		b.cookie += signedIn
		if got, _, _ := b.send("GET", "/me"); got.body != want {
			t.Errorf("after %d others: %d %q", before, got.status, got.body)
		}
	}
}

// TestAuditLogSaysFromWhereAndHowMany shows the address and the count of an event.
func TestAuditLogSaysFromWhereAndHowMany(t *testing.T) {
	s := newServer(t, store.NewMemory())
	b := s.signedIn(t, "ann")
	got := s.log.last(t)
	if got["client.address"] != "127.0.0.1" || got["count"] != 1.0 {
		t.Errorf("a sign-in is logged as %v", got)
	}
	s.signedIn(t, "ann")
	s.signedIn(t, "ann")
	b.delete(apiPath)
	if got := s.log.last(t); got["client.address"] != "127.0.0.1" || got["count"] != 2.0 {
		t.Errorf("two revocations are logged as %v", got)
	}
}

// TestHijackThroughUnwrap shows that what a handler has put is stored before it
// takes the connection over, also where a middleware hides the server's writer.
func TestHijackThroughUnwrap(t *testing.T) {
	hijacked, checked := make(chan struct{}), make(chan struct{})
	s := newServer(t, store.NewMemory(), withCart(t), func(s *server) {
		s.handle("GET /hijack", func(w http.ResponseWriter, r *http.Request) {
			s.sm.Put(r.Context(), "cart", "book")
			conn, buffer, err := http.NewResponseController(w).Hijack()
			close(hijacked)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			<-checked
			writeAnswer(buffer)
		})
	})
	tracked := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tracked.ServeHTTP(onlyUnwrap{w}, r) })
	b := s.signedIn(t, "ann")
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /hijack HTTP/1.1\r\nHost: x\r\nCookie: session=%s\r\n\r\n", b.cookie)
	<-hijacked
	if got := b.get("/cart"); got.body != "book" {
		t.Errorf("what was put before the hijack is not stored: %q", got.body)
	}
	close(checked)
	if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != http.StatusNoContent {
		t.Errorf("%v, %v", resp, err)
	}
}

func writeAnswer(buffer *bufio.ReadWriter) {
	io.WriteString(buffer, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	buffer.Flush()
}

// TestReauthenticatedWithoutSession shows that nobody can prove again who they are
// where nobody is signed in.
func TestReauthenticatedWithoutSession(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.handle("POST /prove", func(w http.ResponseWriter, r *http.Request) {
			if err := s.sessions.Reauthenticated(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
			}
		})
	})
	if got := s.browser(t).post("/prove"); got.status != http.StatusUnauthorized || got.body != "unauthenticated\n" {
		t.Errorf("a visitor: %d %q", got.status, got.body)
	}
	b := s.signedIn(t, "ann")
	if got := b.post("/prove"); got.status != http.StatusOK {
		t.Errorf("a user: %d %q", got.status, got.body)
	}
	if err := s.sessions.Revoke(t.Context(), "ann", b.id()); err != nil {
		t.Fatal(err)
	}
	if got := b.post("/prove"); got.status != http.StatusUnauthorized || got.body != "session revoked: revoked\n" {
		t.Errorf("a user whose session was revoked: %d %q", got.status, got.body)
	}
}

// TestAuditLogHasNoEmptyAttributes shows that an event is logged with what is
// known of it, and nothing else.
func TestAuditLogHasNoEmptyAttributes(t *testing.T) {
	s := newServer(t, store.NewMemory())
	s.signedIn(t, "ann")
	for name, value := range s.log.last(t) {
		if value == "" {
			t.Errorf("a sign-in is logged with an empty %s", name)
		}
	}
}

// watchFrom signs the user in, and watches the session until the test ends.
func watchFrom(t *testing.T, m *revoke.Manager, parent context.Context) (watched context.Context, id string) {
	t.Helper()
	login := httptest.NewRecorder()
	m.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		m.Login(r.Context(), "ann")
	})).ServeHTTP(login, httptest.NewRequest("POST", "/", nil))
	r := httptest.NewRequest("GET", "/", nil).WithContext(parent)
	r.AddCookie(login.Result().Cookies()[0])
	m.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		current, _ := m.Current(r.Context())
		id = current.ID
		watched, _ = m.Watch(r.Context())
	})).ServeHTTP(httptest.NewRecorder(), r)
	return watched, id
}

// TestWatchOfTwoSessions shows that to watch one session of a user no more is not
// to forget the others.
func TestWatchOfTwoSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := revoke.New(newPlainManager(), store.NewMemory())
		parent, hangUp := context.WithCancel(t.Context())
		watchFrom(t, m, parent)
		watched, id := watchFrom(t, m, t.Context())
		hangUp()
		synctest.Wait()
		if watched.Err() != nil {
			t.Fatalf("the other session's watch ended: %v", context.Cause(watched))
		}
		if err := m.Revoke(context.Background(), "ann", id); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !errors.Is(context.Cause(watched), revoke.ErrRevoked) {
			t.Errorf("the revocation was not heard: %v", context.Cause(watched))
		}
		time.Sleep(time.Minute) // the watch has nothing left, and ends
	})
}

// TestWatchEndsWhileItLooks shows that a watch may end while its session is being
// looked up.
func TestWatchEndsWhileItLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooked := &hookedStore{Store: store.NewMemory()}
		m := revoke.New(newPlainManager(), hooked)
		parent, hangUp := context.WithCancel(t.Context())
		login := httptest.NewRecorder()
		m.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			m.Login(r.Context(), "ann")
		})).ServeHTTP(login, httptest.NewRequest("POST", "/", nil))
		r := httptest.NewRequest("GET", "/", nil).WithContext(parent)
		r.AddCookie(login.Result().Cookies()[0])
		m.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			hooked.afterFind = func() {
				hangUp()
				synctest.Wait()
			}
			watched, _ := m.Watch(r.Context())
			if watched.Err() == nil {
				t.Error("the watch has not ended")
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
		time.Sleep(time.Minute) // the watch has nothing left, and ends
	})
}

// TestUseIsNoProof shows that a session which is written to is not one whose user
// has just proved who they are.
func TestUseIsNoProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sm := newPlainManager()
		m := revoke.New(sm, store.NewMemory())
		serve := func(h http.HandlerFunc, cookies ...*http.Cookie) []*http.Cookie {
			w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil)
			for _, c := range cookies {
				r.AddCookie(c)
			}
			m.Track(h).ServeHTTP(w, r)
			return w.Result().Cookies()
		}
		provedAt := func() time.Time {
			sessions, err := m.List(context.Background(), "ann")
			if err != nil || len(sessions) != 1 {
				t.Fatalf("%v, %v", sessions, err)
			}
			return sessions[0].ProvedAt
		}
		cookies := serve(func(_ http.ResponseWriter, r *http.Request) { m.Login(r.Context(), "ann") })
		proved := provedAt()
		time.Sleep(time.Hour)
		serve(func(_ http.ResponseWriter, r *http.Request) { sm.Put(r.Context(), "cart", "book") }, cookies...)
		if got := provedAt(); !got.Equal(proved) {
			t.Errorf("after a use an hour later the proof is %v old, not an hour", time.Since(got))
		}
		serve(func(_ http.ResponseWriter, r *http.Request) { m.Reauthenticated(r.Context()) }, cookies...)
		if got := provedAt(); !got.Equal(time.Now()) {
			t.Errorf("after a new proof the proof is %v old", time.Since(got))
		}
	})
}

// TestDeviceOfTheApplication shows that the application may describe devices.
func TestDeviceOfTheApplication(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.sessions.Device = func(userAgent string) string { return "a device of " + userAgent[:7] }
	})
	s.signedIn(t, "ann")
	if got := list(t, s, "ann"); len(got) != 1 || got[0].Device != "a device of Mozilla" {
		t.Errorf("%+v", got)
	}
}
