package tokens

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

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

// TestThiefWhoRotatesAllTheTime shows that whoever took a token raises the alarm when its
// owner uses the copy, however often they have rotated since.
func TestThiefWhoRotatesAllTheTime(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 50 * time.Second, time.Minute, 61 * time.Second, 10 * time.Minute} {
		t.Run(every.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				app := testapp.InBubble(store.NewMemory()).TakeTokens()
				owner, _ := app.Issued(t, "ann")
				time.Sleep(time.Hour)
				thief := owner
				for begun := time.Now(); time.Since(begun) < time.Hour; time.Sleep(every) {
					thief = app.With(t, thief.Post("/rotate").Body)
					if !thief.Opens() {
						t.Fatal("the thief is out before the owner comes")
					}
				}
				thief = app.With(t, thief.Post("/rotate").Body)
				if !thief.Opens() {
					t.Fatal("the thief is out before the owner comes")
				}
				time.Sleep(time.Second)
				if owner.Opens() {
					t.Error("the owner's token opens the session")
				}
				got := thief.Get(testapp.APIPath)
				if got.Status != http.StatusUnauthorized || !strings.Contains(got.Body, "token_reused") || app.Log.Count(revoke.TokenReused) != 1 {
					t.Errorf("the thief goes on: %d, %d alarms", got.Status, app.Log.Count(revoke.TokenReused))
				}
			})
		})
	}
}
