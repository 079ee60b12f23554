package revoke_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// lostVisitors is a visitors' store that can fail.
type lostVisitors struct {
	*memstore.MemStore
	err error
}

func (v *lostVisitors) Find(token string) ([]byte, bool, error) {
	if v.err != nil {
		return nil, false, v.err
	}
	return v.MemStore.Find(token)
}

// TestEndedWhileVisitorsAreLost shows that a request which has renewed its token and
// then ends its own session does not sign in again, though scs keeps the data if the
// visitors' store fails.
func TestEndedWhileVisitorsAreLost(t *testing.T) {
	for name, end := range map[string]func(*revoke.Manager, context.Context) error{
		"RevokeAll": func(m *revoke.Manager, ctx context.Context) error { _, err := m.RevokeAll(ctx, "ann"); return err },
		"Revoke": func(m *revoke.Manager, ctx context.Context) error {
			own, _ := m.Current(ctx)
			return m.Revoke(ctx, "ann", own.ID)
		},
		"Logout": func(m *revoke.Manager, ctx context.Context) error { _ = m.Logout(ctx); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			visitors := &lostVisitors{MemStore: memstore.NewWithCleanupInterval(0)}
			sm := scs.New()
			sm.Store = visitors
			app := testapp.Over(sm, store.NewMemory()).Serve(t)
			app.Handle("POST /end", func(_ http.ResponseWriter, r *http.Request) {
				if err := sm.RenewToken(r.Context()); err != nil {
					t.Error(err)
				}
				visitors.err = errors.New("down")
				if err := end(app.Sessions, r.Context()); err != nil {
					t.Error(err)
				}
				visitors.err = nil
			})
			b := app.SignedIn(t, "ann")
			b.Post("/end")
			if b.Opens() || len(app.List(t, "ann")) != 0 {
				t.Error("signed in again")
			}
		})
	}
}

// TestEndedDuringTheSaveStep has a goroutine of the handler's revoke all while the save
// step is under way: what that has read is no sign-in.
func TestEndedDuringTheSaveStep(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	var during func()
	app.Sessions.UserID = func(get func(string) any) string {
		id, _ := get("userID").(string)
		if f := during; f != nil {
			during = nil
			f()
		}
		return id
	}
	app.Handle("POST /all", func(_ http.ResponseWriter, r *http.Request) {
		app.SCS.Put(r.Context(), "cart", "book")
		during = func() {
			if _, err := app.Sessions.RevokeAll(r.Context(), "ann"); err != nil {
				t.Error(err)
			}
		}
	})
	b := app.SignedIn(t, "ann")
	got := b.Post("/all")
	if n := len(app.List(t, "ann")); n != 0 || got.Cookie == nil || got.Cookie.Value != "" {
		t.Errorf("%d sessions, cookie %v", n, got.Cookie)
	}
}

// TestRevokedBeforeItCouldBeReplicated shows that a request whose session was revoked
// elsewhere neither switches to another user nor merges another session, also if the
// store cannot say whether its replicas know of that revocation.
func TestRevokedBeforeItCouldBeReplicated(t *testing.T) {
	tap := testapp.NewTap(store.NewMemory())
	app := testapp.New(t, tap)
	var other string
	late := func(c testapp.Call) error {
		if c.Method == "Revoke" { // of a session that has ended
			return store.ErrNotReplicated
		}
		return nil
	}
	app.Handle("POST /switch", func(_ http.ResponseWriter, r *http.Request) {
		app.Sessions.RevokeAll(context.Background(), "ann")
		tap.Fail = late
		app.SCS.Put(r.Context(), "userID", "bob")
	})
	app.Handle("POST /merge", func(_ http.ResponseWriter, r *http.Request) {
		if err := app.SCS.MergeSession(r.Context(), other); err != nil {
			t.Error(err)
		}
		app.Sessions.RevokeAll(context.Background(), "ann")
		tap.Fail = late
		app.SCS.Put(r.Context(), "userID", "bob")
	})
	ann := app.SignedIn(t, "ann")
	if got := ann.Post("/switch"); got.Status != http.StatusUnauthorized || ann.Opens() {
		t.Errorf("switch: %d, and it opens: %v", got.Status, ann.Opens())
	}
	tap.Fail = nil
	other = app.SignedIn(t, "ann").Cookie
	b := app.Browser(t)
	if got := b.Post("/merge"); got.Status != http.StatusServiceUnavailable || b.Opens() {
		t.Errorf("merge: %d, and it opens: %v", got.Status, b.Opens())
	}
	if n := app.Log.Count(revoke.LoggedOut); n != 0 {
		t.Errorf("%d sign-outs of sessions that had ended", n)
	}
}

// TestMergeIntoARevokedSession shows that the data of a session which was revoked
// meanwhile does not live on in the one that is merged into it.
func TestMergeIntoARevokedSession(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	bob := app.SignedIn(t, "bob")
	app.Handle("POST /merge", func(_ http.ResponseWriter, r *http.Request) {
		app.Sessions.RevokeAll(context.Background(), "ann")
		if err := app.SCS.MergeSession(r.Context(), bob.Cookie); err != nil {
			t.Error(err)
		}
	})
	ann := app.SignedIn(t, "ann")
	ann.Post("/cart?put=secret")
	ann.Post("/merge")
	if got := ann.Get("/cart").Body; got != "" {
		t.Errorf("another session has %q", got)
	}
	if !bob.Opens() || bob.Get("/cart").Body != "" {
		t.Error("the session that was to be merged has changed")
	}
}

// TestLoginAfterALostMerge shows that nobody is welcomed without a session: a sign-in
// whose data came from a session that was revoked meanwhile is refused.
func TestLoginAfterALostMerge(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	ann := app.SignedIn(t, "ann")
	app.Handle("POST /merge", func(_ http.ResponseWriter, r *http.Request) {
		if err := app.SCS.MergeSession(r.Context(), ann.Cookie); err != nil {
			t.Error(err)
		}
		app.Sessions.RevokeAll(context.Background(), "ann")
		if err := app.Sessions.Login(r.Context(), "bob"); err != nil {
			t.Error(err)
		}
	})
	b := app.Browser(t)
	if got := b.Post("/merge"); got.Status != http.StatusUnauthorized || b.Opens() {
		t.Errorf("%d, and it opens: %v", got.Status, b.Opens())
	}
}

// TestLogoutOfASessionWithoutItsUser shows that Logout ends the session at once also if the
// handler has taken the user out of its data before.
func TestLogoutOfASessionWithoutItsUser(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Handle("POST /out", func(_ http.ResponseWriter, r *http.Request) {
		app.SCS.Remove(r.Context(), "userID")
		if err := app.Sessions.Logout(r.Context()); err != nil {
			t.Error(err)
		}
		if n := len(app.List(t, "ann")); n != 0 {
			t.Errorf("Logout has returned, and leaves %d sessions", n)
		}
	})
	app.SignedIn(t, "ann").Post("/out")
}
