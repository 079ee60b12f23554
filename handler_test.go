package revoke_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// countingStore counts the calls that reach a store, by user key.
type countingStore struct {
	store.Store
	finds, lists, revokes atomic.Int32
	users                 map[string]bool
}

func (c *countingStore) Find(ctx context.Context, user, id string) (store.Record, error) {
	c.finds.Add(1)
	return c.Store.Find(ctx, user, id)
}

func (c *countingStore) List(ctx context.Context, user string) ([]store.Record, error) {
	c.lists.Add(1)
	return c.Store.List(ctx, user)
}

func (c *countingStore) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	c.revokes.Add(1)
	c.users[user] = true
	return c.Store.Revoke(ctx, user, id, why)
}

func (c *countingStore) reset() {
	c.finds.Store(0)
	c.lists.Store(0)
	c.revokes.Store(0)
	c.users = map[string]bool{}
}

func TestListAPI(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st)
		first, second, third := s.signedIn(t, "ann"), s.signedIn(t, "ann"), s.signedIn(t, "ann")
		s.signedIn(t, "bob")
		got := second.get(apiPath)
		if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" {
			t.Fatalf("%d %v", got.status, got.header)
		}
		checkHeaders(t, got)
		var reply struct{ Sessions []map[string]any }
		if err := json.Unmarshal([]byte(got.body), &reply); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, session := range reply.Sessions {
			ids = append(ids, session["id"].(string))
		}
		if want := []string{second.id(), third.id(), first.id()}; !reflect.DeepEqual(ids, want) {
			t.Errorf("listed %v, want the current one, then the most recently seen: %v", ids, want)
		}
		current := reply.Sessions[0]
		if current["current"] != true || current["device"] != "Firefox on Linux" || current["ip"] != "127.0.0.1" {
			t.Errorf("current session: %v", current)
		}
		for _, key := range []string{"user_agent", "created_at", "last_seen_at", "expires_at"} {
			if current[key] == "" || current[key] == nil {
				t.Errorf("no %q in %v", key, current)
			}
		}
		for _, b := range []*browser{first, second, third} {
			if secret := b.cookie[strings.LastIndex(b.cookie, ".")+1:]; strings.Contains(got.body, secret) {
				t.Error("the list holds a token")
			}
		}
	})
}

func checkHeaders(t *testing.T, got answer) {
	t.Helper()
	if cache := got.header["Cache-Control"]; len(cache) == 0 || cache[0] != "no-store" {
		t.Errorf("Cache-Control %q", cache)
	}
	if nosniff := got.header.Get("X-Content-Type-Options"); nosniff != "nosniff" {
		t.Errorf("X-Content-Type-Options %q", nosniff)
	}
}

func problemCode(t *testing.T, got answer) string {
	t.Helper()
	if ct := got.header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("Content-Type %q", ct)
	}
	checkHeaders(t, got)
	var p struct {
		Title, Detail, Code string
		Status              int
	}
	if err := json.Unmarshal([]byte(got.body), &p); err != nil {
		t.Fatalf("%v in %q", err, got.body)
	}
	if p.Status != got.status || p.Title == "" || p.Detail == "" {
		t.Errorf("problem %q with status %d", got.body, got.status)
	}
	return p.Code
}

func TestRevokeAPI(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st)
		phone, laptop := s.signedIn(t, "ann"), s.signedIn(t, "ann")
		id := phone.id()
		if got := laptop.delete(apiPath + "/" + id); got.status != http.StatusOK || got.body != fmt.Sprintf(`{"count":1,"revoked":["%s"]}`+"\n", id) {
			t.Fatalf("%d %s", got.status, got.body)
		}
		got := phone.get(apiPath)
		if got.status != http.StatusUnauthorized || problemCode(t, got) != "session_revoked" {
			t.Errorf("the holder of the revoked token: %d %s", got.status, got.body)
		}
		var why struct {
			RevokedAt time.Time `json:"revoked_at"`
			Reason    string
		}
		if json.Unmarshal([]byte(got.body), &why); time.Since(why.RevokedAt) > time.Minute || why.Reason != "revoked" {
			t.Errorf("the holder is told %+v", why)
		}
		own := laptop.id()
		if got := laptop.delete(apiPath + "/" + own); got.status != http.StatusOK || laptop.cookie != "" {
			t.Errorf("revoking the own session: %d %s, cookie %q", got.status, got.body, laptop.cookie)
		}
	})
}

func TestRevokeOthersAPI(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		for _, slash := range []string{"", "/"} {
			s := newServer(t, st)
			user := "ann" + slash
			user = url.QueryEscape(user)
			var others []*browser
			for range 3 {
				others = append(others, s.signedIn(t, user))
			}
			b := s.signedIn(t, user)
			got := b.delete(apiPath + slash)
			var reply struct {
				Count   int
				Revoked []string
			}
			json.Unmarshal([]byte(got.body), &reply)
			revoked := map[string]bool{}
			for _, id := range reply.Revoked {
				revoked[id] = true
			}
			want := map[string]bool{}
			for _, b := range others {
				want[b.id()] = true
			}
			if got.status != http.StatusOK || reply.Count != 3 || !maps.Equal(revoked, want) {
				t.Errorf("%d %s, want %v", got.status, got.body, want)
			}
			if b.get("/me").status != http.StatusOK {
				t.Error("the current session ended")
			}
			for _, other := range others {
				if other.get("/me").status != http.StatusUnauthorized {
					t.Error("another session lives")
				}
			}
			if got := b.delete(apiPath + slash); got.body != `{"count":0,"revoked":[]}`+"\n" {
				t.Errorf("nothing left to revoke: %s", got.body)
			}
		}
	})
}

// TestStrangersLearnNothing shows that every id that is not one of the caller's
// live sessions gets the same answer for the same work.
func TestStrangersLearnNothing(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		counting := &countingStore{Store: st}
		counting.reset()
		s := newServer(t, counting)
		stranger, ann, revoked := s.signedIn(t, "bob"), s.signedIn(t, "ann"), s.signedIn(t, "ann")
		gone := revoked.id()
		if ann.delete(apiPath+"/"+gone).status != http.StatusOK {
			t.Fatal("could not revoke")
		}
		ids := map[string]string{
			"somebody else's":   stranger.id(),
			"unknown":           "AbCdEfGhIjKlMnOpQrStUv",
			"revoked already":   gone,
			"too short":         "abc",
			"too long":          stranger.id() + "A",
			"another alphabet":  "AbCdEfGhIjKlMnOpQr%2BtUv",
			"encoded slash":     "a%2Fb",
			"only a slash":      "%2F",
			"encoded dots":      "%2e%2e",
			"encoded dot slash": "%2e%2e%2fsessions",
			"NUL":               "%00",
			"newline":           "a%0Ab",
			"not UTF-8":         "%ff%fe",
			"a second segment":  "a/b",
			"a query in it":     "a%3Fconfirm=true",
			"900 kB of text":    strings.Repeat("A", 900<<10),
			"the whole token":   stranger.cookie,
		}
		want := ann.delete(apiPath + "/" + ids["unknown"])
		if want.status != http.StatusNotFound || problemCode(t, want) != "session_not_found" {
			t.Fatalf("unknown id: %d %s", want.status, want.body)
		}
		want.header.Del("Date")
		for name, id := range ids {
			counting.reset()
			got := ann.delete(apiPath + "/" + id)
			got.header.Del("Date")
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %d %v %q\nwant %d %v %q", name, got.status, got.header, got.body, want.status, want.header, want.body)
			}
			if finds, revokes := counting.finds.Load(), counting.revokes.Load(); finds != 1 || revokes != 1 || counting.lists.Load() != 0 {
				t.Errorf("%s: %d look-ups of the own session and %d calls, want 1 and 1", name, finds, revokes)
			}
			if len(counting.users) != 1 || !counting.users[ann.cookie[:22]] {
				t.Errorf("%s: reached the keys of %v", name, counting.users)
			}
		}
		if stranger.get("/me").status != http.StatusOK {
			t.Error("the stranger's session ended")
		}
		t.Run("not signed in", func(t *testing.T) {
			for _, path := range []string{"", "/", "/" + stranger.id(), "/a%2Fb"} {
				counting.reset()
				if got := s.browser(t).delete(apiPath + path); got.status != http.StatusUnauthorized || problemCode(t, got) != "unauthenticated" {
					t.Errorf("%q: %d %s", path, got.status, got.body)
				}
				if n := counting.finds.Load() + counting.lists.Load() + counting.revokes.Load(); n != 0 {
					t.Errorf("%q: %d look-ups, want none", path, n)
				}
			}
		})
	})
}

func TestMethods(t *testing.T) {
	s := newServer(t, store.NewMemory())
	b := s.signedIn(t, "ann")
	for _, test := range []struct{ method, path, allow string }{
		{"POST", "", "GET, HEAD, DELETE"}, {"PUT", "/", "GET, HEAD, DELETE"}, {"OPTIONS", "", "GET, HEAD, DELETE"},
		{"GET", "/" + b.id(), "DELETE"}, {"PATCH", "/x", "DELETE"}, {"E", "", "GET, HEAD, DELETE"},
	} {
		got := b.do(test.method, apiPath+test.path)
		if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != test.allow || problemCode(t, got) != "method_not_allowed" {
			t.Errorf("%s %s: %d, Allow %q", test.method, test.path, got.status, got.header.Get("Allow"))
		}
	}
	if got := b.do("HEAD", apiPath); got.status != http.StatusOK || got.body != "" {
		t.Errorf("HEAD: %d %q", got.status, got.body)
	}
}

// TestOtherRouters shows the handlers one by one, each under a pattern of a
// router that is not ours.
func TestOtherRouters(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.mux.Handle("GET /account/devices", s.sessions.ListHandler())
		s.mux.Handle("DELETE /account/devices/{id}", s.sessions.RevokeHandler())
		s.mux.Handle("POST /account/devices/revoke", s.sessions.RevokeOthersHandler())
		s.mux.Handle("DELETE /account/devices", s.sessions.RevokeOthersHandler())
	})
	phone, laptop := s.signedIn(t, "ann"), s.signedIn(t, "ann")
	if got := laptop.get("/account/devices"); !strings.Contains(got.body, phone.id()) {
		t.Errorf("list: %d %s", got.status, got.body)
	}
	if got := laptop.delete("/account/devices/" + phone.id()); got.status != http.StatusOK {
		t.Errorf("revoke: %d %s", got.status, got.body)
	}
	if got := laptop.delete("/account/devices"); got.body != `{"count":0,"revoked":[]}`+"\n" {
		t.Errorf("revoke others: %d %s", got.status, got.body)
	}
	if got := laptop.post("/account/devices/revoke"); got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", got.status)
	}
}

func TestCrossOrigin(t *testing.T) {
	s := newServer(t, store.NewMemory())
	b := s.signedIn(t, "ann")
	other := s.signedIn(t, "ann")
	for name, header := range map[string]http.Header{
		"cross-site":     {"Sec-Fetch-Site": {"cross-site"}},
		"same-site":      {"Sec-Fetch-Site": {"same-site"}},
		"foreign origin": {"Origin": {"https://evil.example"}},
	} {
		for _, path := range []string{"", "/" + other.id()} {
			evil := &browser{t: t, s: s, cookie: b.cookie, header: header}
			if got := evil.delete(apiPath + path); got.status != http.StatusForbidden || problemCode(t, got) != "cross_origin" {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
		}
	}
	if other.get("/me").status != http.StatusOK {
		t.Error("a request from another site revoked a session")
	}
	if got := s.log.count(revoke.CrossOriginRefused); got != 6 {
		t.Errorf("%d refusals logged, want 6", got)
	}
	friendly := new(http.CrossOriginProtection)
	friendly.AddTrustedOrigin("https://app.example")
	s.sessions.CrossOrigin = friendly
	app := &browser{t: t, s: s, cookie: b.cookie, header: http.Header{"Origin": {"https://app.example"}}}
	if got := app.delete(apiPath); got.status != http.StatusOK {
		t.Errorf("a trusted origin: %d %s", got.status, got.body)
	}
}

// TestThousandSessions shows that ending all others is one call of the store.
func TestThousandSessions(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) { s.sessions.MaxPerUser = 0 })
		b := s.signedIn(t, "ann")
		user := b.cookie[:22]
		for i := range 999 {
			r := store.Record{User: user, ID: fmt.Sprintf("%022d", i), ExpiresAt: time.Now().Add(time.Hour)}
			if _, err := st.Create(context.Background(), r, store.Limit{}); err != nil {
				t.Fatal(err)
			}
		}
		var reply struct{ Count int }
		got := b.delete(apiPath)
		json.Unmarshal([]byte(got.body), &reply)
		if reply.Count != 999 || len(list(t, s, "ann")) != 1 {
			t.Errorf("revoked %d, %d left", reply.Count, len(list(t, s, "ann")))
		}
	})
}

// TestActorRevokedMeanwhile shows that a session that is revoked while its
// request is under way revokes nobody.
func TestActorRevokedMeanwhile(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		hooked := &hookedStore{Store: st}
		s := newServer(t, hooked)
		thief, owner := s.signedIn(t, "ann"), s.signedIn(t, "ann")
		for _, path := range []string{"", "/" + owner.id()} {
			thief := s.signedIn(t, "ann")
			id := thief.id()
			hooked.afterFind = func() {
				if err := s.sessions.Revoke(context.Background(), "ann", id); err != nil {
					t.Error(err)
				}
			}
			got := thief.delete(apiPath + path)
			if got.status != http.StatusUnauthorized || problemCode(t, got) != "session_revoked" {
				t.Errorf("%q: %d %s", path, got.status, got.body)
			}
		}
		if owner.get("/me").status != http.StatusOK || thief.get("/me").status != http.StatusOK {
			t.Error("a revoked session revoked another")
		}
	})
}

// TestRevokedSessionRevokesNobody shows the same where the save step has found
// the session revoked, and the response has begun.
func TestRevokedSessionRevokesNobody(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		var target string
		s := newServer(t, st, func(s *server) {
			s.sessions.TouchInterval = 0
			s.handle("POST /stream", func(w http.ResponseWriter, r *http.Request) {
				current, _ := s.sessions.Current(r.Context())
				if err := s.sessions.Revoke(context.Background(), "ann", current.ID); err != nil {
					t.Error(err)
				}
				if r.FormValue("cart") != "" {
					s.sm.Put(r.Context(), "cart", r.FormValue("cart"))
				}
				http.NewResponseController(w).Flush()
				if _, ok := s.sessions.Current(r.Context()); ok || !errors.Is(s.sessions.Err(r.Context()), revoke.ErrUnauthenticated) {
					t.Error("the session that the save step has found revoked is current")
				}
				if err := s.sessions.Revoke(r.Context(), "ann", target); !errors.Is(err, revoke.ErrUnauthenticated) {
					t.Errorf("Revoke: %v", err)
				}
				if _, err := s.sessions.RevokeAll(r.Context(), "ann"); !errors.Is(err, revoke.ErrUnauthenticated) {
					t.Errorf("RevokeAll: %v", err)
				}
			})
		})
		other := s.signedIn(t, "ann")
		target = other.id()
		s.signedIn(t, "ann").post("/stream")
		s.signedIn(t, "ann").post("/stream?cart=book")
		if got := other.get("/me"); got.body != "ann" {
			t.Errorf("the other session: %d %q", got.status, got.body)
		}
	})
}

// TestOvertakenByARenewal shows that a request whose write was dropped, as its
// session has a newer token, is in that session all the same.
func TestOvertakenByARenewal(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		var b *browser
		s := newServer(t, st, func(s *server) {
			s.handle("POST /renew", func(w http.ResponseWriter, r *http.Request) { s.sm.RenewToken(r.Context()) })
			s.handle("POST /stream", func(w http.ResponseWriter, r *http.Request) {
				b.post("/renew")
				s.sm.Put(r.Context(), "cart", "book")
				http.NewResponseController(w).Flush()
				if ended, err := s.sessions.RevokeOthers(r.Context()); err != nil || len(ended) != 1 {
					t.Errorf("RevokeOthers: %v, %v", ended, err)
				}
			})
		})
		other := s.signedIn(t, "ann")
		b = s.signedIn(t, "ann")
		late := &browser{t: t, s: s, cookie: b.cookie}
		late.post("/stream")
		if b.get("/me").body != "ann" || other.get("/me").status != http.StatusUnauthorized {
			t.Error("the wrong session has ended")
		}
	})
}

// TestSignedInAnewRevokes shows that who signs in in a request whose session was
// revoked meanwhile is in that new session from then on.
func TestSignedInAnewRevokes(t *testing.T) {
	for _, as := range []string{"ann", "bob"} {
		eachStore(t, func(t *testing.T, st store.Store) {
			var one, all *browser
			s := newServer(t, st, func(s *server) {
				s.handle("POST /again", func(w http.ResponseWriter, r *http.Request) {
					current, _ := s.sessions.Current(r.Context())
					if err := s.sessions.Revoke(context.Background(), "ann", current.ID); err != nil {
						t.Error(err)
					}
					if _, err := s.sessions.RevokeOthers(r.Context()); !errors.Is(err, revoke.ErrRevoked) {
						t.Errorf("RevokeOthers: %v", err)
					}
					if err := s.sessions.Login(r.Context(), as); err != nil {
						t.Error(err)
					}
					http.NewResponseController(w).Flush()
					if err := s.sessions.Revoke(r.Context(), as, one.id()); err != nil {
						t.Errorf("Revoke, signed in: %v", err)
					}
					if ended, err := s.sessions.RevokeOthers(r.Context()); err != nil || len(ended) != 1 {
						t.Errorf("RevokeOthers, signed in: %v, %v", ended, err)
					}
				})
			})
			one, all = s.signedIn(t, as), s.signedIn(t, as)
			b := s.signedIn(t, "ann")
			b.post("/again")
			if one.get("/me").status != http.StatusUnauthorized || all.get("/me").status != http.StatusUnauthorized {
				t.Error("a session lives whose revocation was answered")
			}
			if got := b.get("/me"); got.body != as {
				t.Errorf("the new session: %d %q", got.status, got.body)
			}
		})
	}
}

func TestHandlerOutsideTrackPanics(t *testing.T) {
	s := newServer(t, store.NewMemory())
	defer func() {
		if recover() == nil {
			t.Error("no panic: a handler that is not under Track answers")
		}
	}()
	s.sessions.ListHandler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}
