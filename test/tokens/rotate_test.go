package tokens

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestRotate shows that a rotation loses nobody: to ask again gives the same token, and
// the token before is good until that one is used, by as many as there are at once.
func TestRotate(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		tap := testapp.NewTap(st)
		app := testapp.New(t, tap).TakeTokens()
		phone, first := app.Issued(t, "ann")
		phone.Post("/cart?put=book")
		tap.Forget()
		asked := atOnce(10, func() string { return phone.Send("POST", "/rotate").Body })
		if calls := tap.Calls("Create", "Update", "Touch", "Revoke"); len(asked) != 1 || asked[first] != 0 || len(calls) != 0 {
			t.Fatalf("10 times asked: %d tokens, %d writes", len(asked), len(calls))
		}
		var second string
		for second = range asked {
		}
		if !phone.Opens() {
			t.Error("to ask has ended the token")
		}
		next := app.With(t, second)
		if got := atOnce(10, func() string { return next.Send("GET", "/cart").Body }); got["book"] != 10 {
			t.Errorf("10 first uses: %v", got)
		}
		if phone.Opens() || !next.Opens() {
			t.Error("the first use has not ended the token before, or more than that")
		}
		if n := app.Log.Count(revoke.Renewed); n != 1 {
			t.Errorf("%d renewals in the log", n)
		}
		if list := app.List(t, "ann"); len(list) != 1 || !list[0].Token {
			t.Errorf("%v", list)
		}
	})
}

// atOnce calls f n times at once, and counts what it returned.
func atOnce(n int, f func() string) map[string]int {
	var mu sync.Mutex
	got := make(map[string]int)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			answer := f()
			mu.Lock()
			defer mu.Unlock()
			got[answer]++
		})
	}
	all.Wait()
	return got
}

// TestLostAnswers shows that a client which loses every second answer stays signed in.
func TestLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory()).TakeTokens()
		_, token := app.Issued(t, "ann")
		for i := range 50 {
			got := app.With(t, token).Post("/rotate")
			if got.Status != http.StatusOK {
				t.Fatalf("exchange %d: %d %s", i, got.Status, got.Body)
			}
			if i%2 == 0 {
				token = got.Body
			}
			time.Sleep(time.Minute)
		}
		if n := app.Log.Count(revoke.Renewed); n != 25 {
			t.Errorf("%d rotations, want 25", n)
		}
	})
}

// TestRotateAfterIssue shows that Rotate makes nothing up for a request which has left the
// session of its token for a new one.
func TestRotateAfterIssue(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	app.Handle("POST /anew", func(_ http.ResponseWriter, r *http.Request) {
		app.Sessions.Logout(r.Context())
		if _, err := app.Sessions.Issue(r.Context(), "ann"); err != nil {
			t.Error(err)
		}
		if token, err := app.Sessions.Rotate(r.Context()); !errors.Is(err, revoke.ErrMisconfigured) {
			t.Errorf("%v, with a token that opens %v", err, app.With(t, token).Opens())
		}
	})
	phone, _ := app.Issued(t, "ann")
	phone.Post("/anew")
}

// TestRotateInHaste shows that two rotations are a minute apart at least, however often a
// client asks.
func TestRotateInHaste(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory()).TakeTokens()
		_, first := app.Issued(t, "ann")
		second := app.With(t, first).Post("/rotate").Body
		if again := app.With(t, second).Post("/rotate").Body; again != second || first == second {
			t.Errorf("%q is followed by %q, and that by %q", first, second, again)
		}
		time.Sleep(time.Minute)
		if third := app.With(t, second).Post("/rotate").Body; third == second {
			t.Error("there is no third token after a minute")
		}
	})
}

// TestReuse shows what becomes of a session of which an old token is used.
func TestReuse(t *testing.T) {
	for _, test := range []struct {
		name   string
		grace  time.Duration
		after  time.Duration
		old    int // which token is used again
		ends   bool
		alarms int
	}{
		{"on its way", 0, 59 * time.Second, 1, false, 0},
		{"after a minute", 0, time.Minute, 1, true, 1},
		{"any token from before", 0, time.Minute, 0, true, 1},
		{"any token from before, within a minute", 0, time.Second, 0, true, 1},
		{"within a longer grace", time.Hour, 59 * time.Minute, 1, false, 0},
		{"alarm only", -1, time.Hour, 0, false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app := testapp.InBubble(store.NewMemory()).TakeTokens()
				app.Sessions.ReuseGrace = test.grace
				var tokens []string
				client, token := app.Issued(t, "ann")
				for range 2 {
					tokens = append(tokens, token)
					time.Sleep(time.Hour)
					token = client.Post("/rotate").Body
					client = app.With(t, token)
					if !client.Opens() {
						t.Fatal("the next token opens nothing")
					}
				}
				time.Sleep(test.after)
				for range 2 {
					if got := app.With(t, tokens[test.old]).Get(testapp.APIPath); got.Code(t) != "unauthenticated" {
						t.Errorf("an old token: %s", got.Body)
					}
				}
				got := client.Get(testapp.APIPath)
				if ended := got.Status == http.StatusUnauthorized; ended != test.ends || ended && !strings.Contains(got.Body, "token_reused") {
					t.Errorf("after that: %d %s", got.Status, got.Body)
				}
				if n := app.Log.Count(revoke.TokenReused); n != test.alarms {
					t.Errorf("%d alarms, want %d", n, test.alarms)
				}
			})
		})
	}
}

// TestGuesses shows that nobody ends a session by its id, which lists and logs show, be
// it with a made-up secret or with another spelling of the right one.
func TestGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory()).TakeTokens()
		app.Sessions.ReuseGrace = time.Nanosecond
		phone, token := app.Issued(t, "ann")
		next := phone.Post("/rotate").Body
		time.Sleep(time.Hour)
		names, family := token[:46], token[46:67]
		for _, guess := range []string{
			names + strings.Repeat("A", 43), names + family + respelled(token[67], 32) + strings.Repeat("A", 21),
			names + other(next[46:47]) + next[47:], spelled(token), spelled(next),
		} {
			if app.With(t, guess).Opens() {
				t.Errorf("%q opens the session of %q", guess, token)
			}
		}
		if !phone.Opens() {
			t.Error("a guess has ended the session")
		}
	})
}

// other returns another character of base64url.
func other(c string) string {
	if c == "B" {
		return "C"
	}
	return "B"
}

// spelled returns a token whose last character has another of the bits that count for
// nothing.
func spelled(token string) string {
	last := len(token) - 1
	return token[:last] + respelled(token[last], 1)
}

// respelled returns a character of base64url with other bits. Of the one after 21 that
// are of the family alone, two bits still are.
func respelled(c byte, bits int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^bits])
}

// TestRefresh shows a token that comes in a body.
func TestRefresh(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st).TakeTokens()
		app.SCS.IdleTimeout = time.Hour
		token, err := app.Sessions.Issue(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/token", nil)
		r.Header.Set("User-Agent", testapp.Pocket)
		session, next, err := app.Sessions.Refresh(r, token)
		if err != nil || session.UserID != "ann" || !session.Token {
			t.Fatalf("%v %v", session, err)
		}
		if _, again, err := app.Sessions.Refresh(r, token); again != next || err != nil {
			t.Errorf("another token, or %v", err)
		}
		if list := app.List(t, "ann"); list[0].UserAgent != testapp.Pocket || !list[0].Token {
			t.Errorf("the use was not noted: %v", list)
		}
		if n := app.Log.Count(revoke.AddressChanged); n != 0 {
			t.Error("a first use is taken for a change of address")
		}
		if _, _, err := app.Sessions.Refresh(r, next); err != nil {
			t.Error(err)
		}
		if _, _, err := app.Sessions.Refresh(r, token); !errors.Is(err, revoke.ErrUnauthenticated) {
			t.Errorf("the old token: %v", err)
		}
		app.Sessions.RevokeAll(t.Context(), "ann")
		if _, _, err := app.Sessions.Refresh(r, next); !errors.Is(err, revoke.ErrRevoked) {
			t.Errorf("revoked: %v", err)
		}
		for _, wrong := range []string{"", "x", strings.Repeat(".", 89), token[:45] + "." + strings.Repeat("!", 43)} {
			if _, _, err := app.Sessions.Refresh(r, wrong); err != revoke.ErrUnauthenticated {
				t.Errorf("%q: %v", wrong, err)
			}
		}
	})
}

// TestRefreshIsLimited shows that each session has a bound of its own, and that rubbish
// has one for its network.
func TestRefreshIsLimited(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	app.Sessions.Limiter = revoke.NewLimiter(2, time.Hour)
	_, one := app.Issued(t, "ann")
	_, two := app.Issued(t, "ann")
	r := httptest.NewRequest("POST", "/token", nil)
	for _, test := range []struct {
		token string
		want  error
	}{{one, nil}, {two, nil}, {"x", revoke.ErrUnauthenticated}, {one[:46] + strings.Repeat("A", 43), revoke.ErrUnauthenticated}} {
		limited := false
		for i := range 3 {
			_, _, err := app.Sessions.Refresh(r, test.token)
			limited = errors.As(err, new(*revoke.RateLimitedError))
			if !limited && !errors.Is(err, test.want) {
				t.Errorf("%q, %d: %v", test.token, i, err)
			}
		}
		if !limited {
			t.Errorf("%q: never limited", test.token)
		}
	}
	if n := app.Log.Count(revoke.RateLimited); n != 3 {
		t.Errorf("%d events, want one for each session and one for the network", n)
	}
}

// FuzzRefresh shows that no text opens a session but its present token and the one that
// was offered.
func FuzzRefresh(f *testing.F) {
	app := testapp.Over(scs.New(), store.NewMemory()).TakeTokens()
	r := httptest.NewRequest("POST", "/token", nil)
	token, err := app.Sessions.Issue(context.Background(), "ann")
	if err != nil {
		f.Fatal(err)
	}
	_, next, err := app.Sessions.Refresh(r, token)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "x", token + "=", token[:45], token[:46] + next[46:67] + token[67:], spelled(token), spelled(next), strings.ToUpper(token)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == next {
			return // to use it is to accept it
		}
		if _, _, err := app.Sessions.Refresh(r, text); err != revoke.ErrUnauthenticated && text != token {
			t.Errorf("%q: %v", text, err)
		}
		if _, again, err := app.Sessions.Refresh(r, token); err != nil || again != next {
			t.Errorf("%q has changed the session: %v", text, err)
		}
	})
}

// TestLogoutByAnOldToken shows that a client which has not heard of its next token can
// still sign out.
func TestLogoutByAnOldToken(t *testing.T) {
	app := testapp.New(t, store.NewMemory()).TakeTokens()
	app.Handle("POST /leave", func(_ http.ResponseWriter, r *http.Request) { app.Sessions.Logout(r.Context()) })
	phone, _ := app.Issued(t, "ann")
	next := app.With(t, phone.Post("/rotate").Body)
	if !next.Opens() || phone.Opens() {
		t.Fatal("not rotated")
	}
	if phone.Post("/leave"); next.Opens() {
		t.Error("the session goes on")
	}
}

// TestLateWriteByToken shows that a goroutine which outlives its request writes to the
// session as long as that is live.
func TestLateWriteByToken(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		app := testapp.New(t, store.NewMemory()).TakeTokens()
		app.SCS.HashTokenInStore = hashed
		contexts := make(chan context.Context, 1)
		app.Handle("POST /background", func(_ http.ResponseWriter, r *http.Request) { contexts <- context.WithoutCancel(r.Context()) })
		app.Handle("POST /renewing", func(_ http.ResponseWriter, r *http.Request) { // scs has another token for the session then
			app.SCS.RenewToken(r.Context())
			contexts <- context.WithoutCancel(r.Context())
		})
		phone, _ := app.Issued(t, "ann")
		for _, path := range []string{"/background", "/renewing"} {
			phone.Post(path)
			ctx := <-contexts
			app.SCS.Put(ctx, "cart", path)
			if _, _, err := app.SCS.Commit(ctx); err != nil || phone.Get("/cart").Body != path {
				t.Errorf("%s: %v, cart %q", path, err, phone.Get("/cart").Body)
			}
			if path == "/renewing" {
				if err := app.SCS.Destroy(ctx); err != nil || phone.Opens() {
					t.Errorf("a late Destroy: %v", err)
				}
			}
		}
	}
}
