package tokens

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

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
