package revoke_test

import (
	"context"
	"encoding/gob"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

func list(t *testing.T, s *server, user string) []revoke.Session {
	t.Helper()
	sessions, err := s.sessions.List(context.Background(), user)
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}

func TestSignIn(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) {
			s.handle("POST /visit", func(w http.ResponseWriter, r *http.Request) { s.sm.Put(r.Context(), "cart", "book") })
			s.handle("POST /forgetful", func(w http.ResponseWriter, r *http.Request) { s.sm.Put(r.Context(), "userID", "ann") })
			s.handle("POST /convenient", func(w http.ResponseWriter, r *http.Request) {
				if err := s.sessions.Login(r.Context(), "ann"); err != nil {
					t.Error(err)
				}
			})
			s.handle("GET /cart", func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, s.sm.GetString(r.Context(), "cart"))
			})
		})
		for _, how := range []string{"/login?user=ann", "/forgetful", "/convenient"} {
			t.Run(strings.Trim(how, "/"), func(t *testing.T) {
				b := s.browser(t)
				b.post("/visit")
				visitor := b.cookie
				b.post(how)
				if b.cookie == visitor || b.cookie == "" {
					t.Fatal("sign-in did not take a fresh token")
				}
				if got := b.get("/me"); got.body != "ann" {
					t.Errorf("after sign-in: %d %q", got.status, got.body)
				}
				if got := b.get("/cart"); got.body != "book" {
					t.Errorf("the visitor's data was lost: %q", got.body)
				}
				planted := &browser{t: t, s: s, cookie: visitor}
				if got := planted.get("/cart"); got.body != "" {
					t.Errorf("the visitor's old token still opens its data: %q", got.body)
				}
			})
		}
		if got := len(list(t, s, "ann")); got != 3 {
			t.Errorf("%d sessions, want 3", got)
		}
	})
}

func TestRenewalKeepsTheSession(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) {
			s.handle("POST /renew", func(w http.ResponseWriter, r *http.Request) { s.sm.RenewToken(r.Context()) })
		})
		b := s.signedIn(t, "ann")
		before, old := list(t, s, "ann")[0], b.cookie
		b.post("/renew")
		after := list(t, s, "ann")
		if len(after) != 1 || after[0].ID != before.ID || !after[0].CreatedAt.Equal(before.CreatedAt) {
			t.Errorf("renewed %+v into %+v", before, after)
		}
		if b.cookie == old || b.id() != before.ID {
			t.Errorf("renewed token %q into %q", old, b.cookie)
		}
		stale := &browser{t: t, s: s, cookie: old}
		if got, cookie, set := stale.send("GET", "/me"); got.status != http.StatusUnauthorized || set {
			t.Errorf("a stale token: %d, cookie set %v to %q; the browser's newer one must be left alone", got.status, set, cookie)
		}
		if got := b.get("/me"); got.body != "ann" {
			t.Errorf("the renewed token: %d %q", got.status, got.body)
		}
	})
}

func TestSessionEndsWithItsData(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		ctx := func(r *http.Request) context.Context { return r.Context() }
		s := newServer(t, st, func(s *server) {
			s.handle("POST /clear", func(w http.ResponseWriter, r *http.Request) { s.sm.Clear(ctx(r)) })
			s.handle("POST /remove", func(w http.ResponseWriter, r *http.Request) { s.sm.Remove(ctx(r), "userID") })
			s.handle("POST /convenient", func(w http.ResponseWriter, r *http.Request) { s.sessions.Logout(ctx(r)) })
			s.handle("POST /switch", func(w http.ResponseWriter, r *http.Request) { s.sm.Put(ctx(r), "userID", "bob") })
			s.handle("POST /farewell", func(w http.ResponseWriter, r *http.Request) {
				s.sm.Destroy(ctx(r))
				s.sm.Put(ctx(r), "flash", "goodbye")
			})
			s.handle("POST /panic", func(w http.ResponseWriter, r *http.Request) {
				s.sm.Destroy(ctx(r))
				panic(http.ErrAbortHandler)
			})
			s.handle("GET /flash", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s.sm.GetString(ctx(r), "flash")) })
		})
		for _, how := range []string{"/logout", "/clear", "/remove", "/convenient", "/farewell", "/switch"} {
			t.Run(strings.Trim(how, "/"), func(t *testing.T) {
				b := s.signedIn(t, "ann")
				old := b.cookie
				b.post(how)
				if left := list(t, s, "ann"); len(left) != 0 {
					t.Errorf("still listed: %+v", left)
				}
				stolen := &browser{t: t, s: s, cookie: old}
				if got := stolen.get("/me"); got.status != http.StatusUnauthorized {
					t.Errorf("the old token still opens /me: %d %q", got.status, got.body)
				}
				switch got := b.get("/me"); how {
				case "/switch":
					if got.body != "bob" || b.cookie == old || len(list(t, s, "bob")) != 1 {
						t.Errorf("after the switch: %d %q, %v", got.status, got.body, list(t, s, "bob"))
					}
				case "/farewell":
					if flash := b.get("/flash"); flash.body != "goodbye" || strings.Contains(b.cookie, ".") {
						t.Errorf("farewell %q in session %q", flash.body, b.cookie)
					}
				default:
					if got.status != http.StatusUnauthorized || b.cookie != "" {
						t.Errorf("after the end: %d %q, cookie %q", got.status, got.body, b.cookie)
					}
				}
			})
		}
		t.Run("panic", func(t *testing.T) {
			b := s.signedIn(t, "ann")
			r, _ := http.NewRequest("POST", s.URL+"/panic", nil)
			r.AddCookie(&http.Cookie{Name: "session", Value: b.cookie})
			if _, err := http.DefaultTransport.RoundTrip(r); err == nil {
				t.Fatal("the handler did not panic")
			}
			if got := b.get("/me"); got.status != http.StatusUnauthorized {
				t.Errorf("a sign-out was lost with a panic: %d %q", got.status, got.body)
			}
		})
	})
}

func TestAfterOwnRevocation(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) {
			s.handle("POST /reset", func(w http.ResponseWriter, r *http.Request) {
				if _, err := s.sessions.RevokeAll(r.Context(), "ann"); err != nil {
					t.Error(err)
				}
				if _, ok := s.sessions.Current(r.Context()); ok {
					t.Error("there is a current session after RevokeAll")
				}
				if _, err := s.sessions.RevokeOthers(r.Context()); !errors.Is(err, revoke.ErrUnauthenticated) {
					t.Errorf("a revoked session revokes others: %v", err)
				}
				s.sessions.Login(r.Context(), "ann")
			})
		})
		b, other := s.signedIn(t, "ann"), s.signedIn(t, "ann")
		before := b.id()
		b.post("/reset")
		if got := b.get("/me"); got.body != "ann" || b.id() == before {
			t.Errorf("signing in again after RevokeAll: %d %q", got.status, got.body)
		}
		if got := other.get("/me"); got.status != http.StatusUnauthorized {
			t.Errorf("the other session survived RevokeAll: %d", got.status)
		}
		if got := len(list(t, s, "ann")); got != 1 {
			t.Errorf("%d sessions, want 1", got)
		}
	})
}

type number int32

func init() { gob.Register(number(0)) }

func TestUserIDs(t *testing.T) {
	for _, test := range []struct {
		value any
		want  string
	}{
		{"ann", "ann"}, {42, "42"}, {int64(-7), "-7"}, {int32(7), "7"}, {uint64(9), "9"}, {number(3), "3"},
		{"", ""}, {0, ""}, {int64(0), ""}, {uint(0), ""}, {3.5, ""}, {true, ""},
	} {
		s := newServer(t, store.NewMemory(), func(s *server) {
			s.sessions.UserIDKey = "authenticatedUserID"
			s.handle("POST /put", func(w http.ResponseWriter, r *http.Request) {
				s.sm.Put(r.Context(), "authenticatedUserID", test.value)
			})
		})
		b := s.browser(t)
		b.post("/put")
		var want int
		if test.want != "" {
			want = 1
		}
		if got := len(list(t, s, test.want)); got != want || s.log.count(revoke.SignedIn) != want {
			t.Errorf("%T %v: %d sessions of user %q, want %d; log %s", test.value, test.value, got, test.want, want, s.log)
		}
	}
}

func TestLimit(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) { s.sessions.MaxPerUser = 3 })
		var browsers [50]*browser
		var wg sync.WaitGroup
		for i := range browsers {
			wg.Go(func() {
				browsers[i] = s.browser(t)
				browsers[i].post("/login?user=ann")
			})
		}
		wg.Wait()
		if got := len(list(t, s, "ann")); got != 3 {
			t.Errorf("%d sessions, want 3", got)
		}
		alive := 0
		for _, b := range browsers {
			if b.get("/me").status == http.StatusOK {
				alive++
			}
		}
		if alive != 3 {
			t.Errorf("%d tokens open, want 3", alive)
		}
		if got := s.log.count(revoke.Evicted); got != 47 {
			t.Errorf("%d evictions logged, want 47", got)
		}
	})
}

// TestConcurrentRenewals shows that of two requests that renew at once one wins,
// and that the loser's response is whole and sets no cookie.
func TestConcurrentRenewals(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		var both sync.WaitGroup
		both.Add(2)
		s := newServer(t, st, func(s *server) {
			s.handle("POST /renew", func(w http.ResponseWriter, r *http.Request) {
				s.sm.RenewToken(r.Context())
				both.Done()
				both.Wait()
				io.WriteString(w, "whole")
			})
		})
		b := s.signedIn(t, "ann")
		var cookies [2]string
		var wg sync.WaitGroup
		for i := range cookies {
			wg.Go(func() {
				got, cookie, set := b.send("POST", "/renew")
				if cookies[i] = cookie; set && cookie == "" {
					t.Error("the loser's response clears the winner's cookie")
				}
				if got.status != http.StatusOK || got.body != "whole" {
					t.Errorf("renewal: %d %q", got.status, got.body)
				}
			})
		}
		wg.Wait()
		if (cookies[0] == "") == (cookies[1] == "") {
			t.Fatalf("want one cookie, got %q", cookies)
		}
		b.cookie = cookies[0] + cookies[1]
		if got := b.get("/me"); got.body != "ann" {
			t.Errorf("the winner's token: %d %q", got.status, got.body)
		}
	})
}

func TestDroppedWriteDeliversTheResponse(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) {
			s.handle("POST /write", func(w http.ResponseWriter, r *http.Request) {
				current, _ := s.sessions.Current(r.Context())
				if err := s.sessions.Revoke(context.Background(), "ann", current.ID); err != nil {
					t.Error(err)
				}
				s.sm.Put(r.Context(), "cart", "book")
				io.WriteString(w, "whole")
			})
		})
		b := s.signedIn(t, "ann")
		if got := b.post("/write"); got.status != http.StatusOK || got.body != "whole" {
			t.Errorf("%d %q", got.status, got.body)
		}
	})
}

func OldTestAdoption(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		eachStore(t, func(t *testing.T, st store.Store) {
			s := newServer(t, st, func(s *server) { s.sm.HashTokenInStore = hashed })
			// The same application before it came to revoke.
			old := newPlainServer(t, s)
			b := s.browser(t)
			b.s = old
			b.post("/login?user=ann")
			b.s = s
			before := b.cookie
			if strings.Contains(before, ".") {
				t.Fatalf("%q is not a token of plain scs", before)
			}

			var cookies [6]string
			var wg sync.WaitGroup
			for i := range cookies {
				wg.Go(func() {
					got, cookie, _ := b.send("GET", "/me")
					cookies[i] = cookie
					if got.body != "ann" {
						t.Errorf("after deployment: %d %q", got.status, got.body)
					}
				})
			}
			wg.Wait()
			for _, cookie := range cookies {
				if cookie != cookies[0] || !strings.HasSuffix(cookie, "."+before) {
					t.Fatalf("parallel requests arrived at different cookies: %q", cookies)
				}
			}
			if got := len(list(t, s, "ann")); got != 1 {
				t.Fatalf("%d sessions, want 1", got)
			}

			adopted := &browser{t: t, s: s, cookie: cookies[0]}
			if got := adopted.get("/me"); got.body != "ann" {
				t.Errorf("the new cookie: %d %q", got.status, got.body)
			}
			if err := s.sessions.Revoke(context.Background(), "ann", adopted.id()); err != nil {
				t.Fatal(err)
			}
			for _, cookie := range []string{cookies[0], before} {
				b := &browser{t: t, s: s, cookie: cookie}
				if got := b.get("/me"); got.status != http.StatusUnauthorized {
					t.Errorf("after revocation cookie %q opens: %d %q", cookie, got.status, got.body)
				}
			}
			if left := list(t, s, "ann"); len(left) != 0 {
				t.Errorf("the old cookie brought back %+v", left)
			}
		})
	}
}

// expiryStore notes until when a record is kept.
type expiryStore struct {
	scs.Store
	expiry map[string]time.Time
}

func (e *expiryStore) Commit(token string, b []byte, expiry time.Time) error {
	e.expiry[token] = expiry
	return e.Store.Commit(token, b, expiry)
}

// TestAdoptedRecordExpires shows that what is left of a session in the visitors'
// store after its adoption is gone within a minute.
func TestAdoptedRecordExpires(t *testing.T) {
	sm := scs.New()
	visitors := &expiryStore{Store: sm.Store, expiry: map[string]time.Time{}}
	sm.Store = visitors
	login := httptest.NewRecorder()
	sm.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sm.RenewToken(r.Context())
		sm.Put(r.Context(), "userID", "ann")
	})).ServeHTTP(login, httptest.NewRequest("POST", "/", nil))
	cookie := login.Result().Cookies()[0]
	if left := time.Until(visitors.expiry[cookie.Value]); left < time.Hour {
		t.Fatalf("signed in for %v", left)
	}
	m := revoke.New(sm, store.NewMemory())
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(cookie)
	m.Track(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	if left := time.Until(visitors.expiry[cookie.Value]); left <= 0 || left > time.Minute {
		t.Errorf("the old record is kept for %v", left)
	}
}

// TestRevokeEveryone shows that it reaches sessions that have not been adopted
// yet, and the old cookies of those that have.
func TestRevokeEveryone(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st)
		old := newPlainServer(t, s)
		var cookies []string
		for _, adopt := range []bool{false, true} {
			b := s.browser(t)
			b.s = old
			b.post("/login?user=ann")
			b.s = s
			cookies = append(cookies, b.cookie)
			if adopt {
				b.get("/me")
				cookies = append(cookies, b.cookie)
			}
		}
		cookies = append(cookies, s.signedIn(t, "ann").cookie, s.signedIn(t, "bob").cookie)
		if err := s.sessions.RevokeEveryone(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i, cookie := range cookies {
			b := &browser{t: t, s: s, cookie: cookie}
			if got := b.get("/me"); got.status != http.StatusUnauthorized {
				t.Errorf("cookie %d opens: %d %q", i, got.status, got.body)
			}
		}
	})
}

// TestLateCommitUnderAnOldToken shows that a goroutine that outlives its request
// writes only as long as the token that it came with is the session's.
func TestLateCommitUnderAnOldToken(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		contexts := make(chan context.Context, 1)
		s := newServer(t, st, func(s *server) {
			s.handle("POST /background", func(w http.ResponseWriter, r *http.Request) { contexts <- context.WithoutCancel(r.Context()) })
			s.handle("POST /renew", func(w http.ResponseWriter, r *http.Request) { s.sm.RenewToken(r.Context()) })
			s.handle("GET /done", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s.sm.GetString(r.Context(), "done")) })
		})
		b := s.signedIn(t, "ann")
		commit := func(ctx context.Context, value string) error {
			s.sm.Put(ctx, "done", value)
			_, _, err := s.sm.Commit(ctx)
			return err
		}
		b.post("/background")
		ctx := <-contexts
		if err := commit(ctx, "in time"); err != nil || b.get("/done").body != "in time" {
			t.Errorf("a late write to a live session: %v, %q", err, b.get("/done").body)
		}
		b.post("/renew")
		if err := commit(ctx, "too late"); !errors.Is(err, store.ErrStale) || b.get("/done").body != "in time" {
			t.Errorf("a write under the old token: %v, %q", err, b.get("/done").body)
		}
	})
}

// TestMerge shows what MergeSession does to tracked sessions.
func TestMerge(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		hooked := &hookedStore{Store: st}
		s := newServer(t, hooked, func(s *server) {
			s.handle("GET /cart", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s.sm.GetString(r.Context(), "cart")) })
			s.handle("POST /visit", func(w http.ResponseWriter, r *http.Request) { s.sm.Put(r.Context(), "cart", "book") })
			s.handle("POST /merge", func(w http.ResponseWriter, r *http.Request) {
				if err := s.sm.MergeSession(r.Context(), r.FormValue("token")); err != nil {
					t.Error(err)
				}
			})
		})
		t.Run("into a visitor's", func(t *testing.T) {
			source, b := s.signedIn(t, "ann"), s.browser(t)
			b.post("/visit")
			b.post("/merge?token=" + source.cookie)
			if got := b.get("/me"); got.body != "ann" || b.id() != source.id() {
				t.Errorf("merged: %d %q", got.status, got.body)
			}
			if got := source.get("/me"); got.status != http.StatusUnauthorized {
				t.Errorf("the merged session's token still opens: %q", got.body)
			}
			if got := len(list(t, s, "ann")); got != 1 {
				t.Errorf("%d sessions, want 1", got)
			}
		})
		t.Run("into another session", func(t *testing.T) {
			source, b := s.signedIn(t, "bob"), s.signedIn(t, "bob")
			b.post("/merge?token=" + source.cookie)
			if got := b.get("/me"); got.body != "bob" {
				t.Errorf("merged: %d %q", got.status, got.body)
			}
			if left := list(t, s, "bob"); len(left) != 1 || left[0].ID != b.id() {
				t.Errorf("left: %+v", left)
			}
		})
		t.Run("of a session that ends meanwhile", func(t *testing.T) {
			source, b := s.signedIn(t, "eve"), s.signedIn(t, "eve")
			source.post("/visit")
			id := source.id()
			hooked.afterFind = func() {
				hooked.afterFind = func() { // the first look-up is the request's own
					if err := s.sessions.Revoke(context.Background(), "eve", id); err != nil {
						t.Error(err)
					}
				}
			}
			b.post("/merge?token=" + source.cookie)
			if got := b.get("/cart"); got.body != "" || b.get("/me").body != "eve" {
				t.Errorf("the data of a revoked session lives on: %q", got.body)
			}
		})
		t.Run("of another user", func(t *testing.T) {
			source, b := s.signedIn(t, "cid"), s.signedIn(t, "dan")
			b.post("/merge?token=" + source.cookie)
			if got := b.get("/me"); got.body != "cid" {
				t.Errorf("merged: %d %q", got.status, got.body)
			}
			if got := len(list(t, s, "dan")); got != 0 {
				t.Errorf("%d sessions of the user before, want none", got)
			}
		})
	})
}
