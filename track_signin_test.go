package revoke_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestRevokedMeanwhile lets a request be under way in a session that is then
// revoked, and do with it what makes, or would make, a session of its data. Each
// result is what a second request of the same browser finds.
func TestRevokedMeanwhile(t *testing.T) {
	type do = func(app *testapp.App, ctx context.Context)
	renewAndPut := func(user string) do {
		return func(app *testapp.App, ctx context.Context) {
			app.SCS.RenewToken(ctx)
			app.SCS.Put(ctx, "userID", user)
		}
	}
	login := func(user string) do {
		return func(app *testapp.App, ctx context.Context) { app.Sessions.Login(ctx, user) }
	}
	then := func(all ...do) do {
		return func(app *testapp.App, ctx context.Context) {
			for _, do := range all {
				do(app, ctx)
			}
		}
	}
	var (
		put     do = func(app *testapp.App, ctx context.Context) { app.SCS.Put(ctx, "more", "data") }
		renew   do = func(app *testapp.App, ctx context.Context) { app.SCS.RenewToken(ctx) }
		remove  do = func(app *testapp.App, ctx context.Context) { app.SCS.Remove(ctx, "userID") }
		clear   do = func(app *testapp.App, ctx context.Context) { app.SCS.Clear(ctx) }
		destroy do = func(app *testapp.App, ctx context.Context) { app.SCS.Destroy(ctx) }
		flash   do = func(app *testapp.App, ctx context.Context) { app.SCS.Put(ctx, "flash", "bye") }
		stepUp  do = func(app *testapp.App, ctx context.Context) { app.Sessions.Reauthenticated(ctx) }
	)
	revoked := func(app *testapp.App) { app.Sessions.Revoke(context.Background(), "ann", app.List(t, "ann")[0].ID) }
	revokedAll := func(app *testapp.App) { app.Sessions.RevokeAll(context.Background(), "ann") }
	for name, c := range map[string]struct {
		end    func(app *testapp.App)
		do     do
		status int
		user   string // who is signed in afterwards
		cart   string // what is left of the data
	}{
		"puts data":                       {revoked, put, 200, "", ""},
		"renews":                          {revoked, renew, 401, "", ""},
		"steps up":                        {revoked, stepUp, 401, "", ""},
		"signs in as another by hand":     {revoked, renewAndPut("bob"), 401, "", ""},
		"signs in as itself by hand":      {revoked, renewAndPut("ann"), 401, "", ""},
		"removes the user ID":             {revoked, remove, 200, "", ""},
		"destroys, and leaves a message":  {revoked, then(destroy, flash), 200, "", ""},
		"signs in by Login":               {revoked, login("ann"), 200, "ann", "book"},
		"signs in as another by Login":    {revoked, login("bob"), 200, "bob", ""},
		"destroys and signs in by Login":  {revoked, then(destroy, login("ann")), 200, "ann", ""},
		"clears and signs in by Login":    {revoked, then(clear, login("ann")), 200, "ann", ""},
		"all, and it signs in by Login":   {revokedAll, login("ann"), 401, "", ""},
		"all, and another signs in":       {revokedAll, login("bob"), 200, "bob", ""},
		"all, by a handler that goes on":  {nil, then(revokeAll, login("ann")), 200, "ann", ""},
		"all, then Clear and Login":       {nil, then(revokeAll, clear, login("ann")), 200, "ann", ""},
		"all, then Destroy and Login":     {nil, then(revokeAll, destroy, login("ann")), 200, "ann", ""},
		"everyone, by the handler itself": {nil, then(revokeEveryone, login("ann")), 200, "ann", ""},
		"everyone, then Remove and Login": {nil, then(revokeEveryone, remove, login("ann")), 200, "ann", ""},
	} {
		t.Run(name, testapp.Bubble(func(t *testing.T) {
			app := testapp.InBubble(store.NewMemory())
			app.Handle("POST /do", func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Second)
				if c.end != nil {
					c.end(app)
				}
				time.Sleep(time.Second)
				c.do(app, r.Context())
			})
			b := app.SignedIn(t, "ann")
			b.Post("/cart?put=book")
			before := b.Cookie
			if got := b.Post("/do"); got.Status != c.status {
				t.Errorf("%d %s, want %d", got.Status, got.Body, c.status)
			}
			if got := b.Get("/me"); (got.Status == 200) != (c.user != "") || c.user != "" && got.Body != c.user {
				t.Errorf("signed in afterwards: %q, want %q", got.Body, c.user)
			}
			if got := b.Get("/cart"); got.Body != c.cart {
				t.Errorf("the data afterwards: %q, want %q", got.Body, c.cart)
			}
			if app.BrowserWith(t, before).Opens() {
				t.Error("the revoked token opens")
			}
		}))
	}
}

func revokeAll(app *testapp.App, ctx context.Context) { app.Sessions.RevokeAll(ctx, "ann") }

func revokeEveryone(app *testapp.App, ctx context.Context) { app.Sessions.RevokeEveryone(ctx) }

// TestSignInUnderWay shows that a sign-in whose password was checked before all was
// revoked is refused, in words and in the log, and that one that began afterwards is
// not.
func TestSignInUnderWay(t *testing.T) {
	for name, c := range map[string]struct {
		others bool // RevokeOthers, and not RevokeAll
		after  bool
	}{
		"RevokeAll":          {},
		"RevokeOthers":       {others: true},
		"after RevokeAll":    {after: true},
		"after RevokeOthers": {others: true, after: true},
	} {
		t.Run(name, testapp.Bubble(func(t *testing.T) {
			app := testapp.InBubble(store.NewMemory())
			revoke1 := func() {
				if !c.others {
					app.Sessions.RevokeAll(context.Background(), "ann")
				} else if got := app.SignedIn(t, "ann").Delete(testapp.APIPath); got.Status != 200 {
					t.Errorf("%d", got.Status)
				}
				time.Sleep(time.Second)
			}
			app.Handle("POST /slow", func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(time.Second)
				if !c.after {
					revoke1()
				}
				app.Sessions.Login(r.Context(), "ann")
			})
			if c.after {
				revoke1()
			}
			b := app.Browser(t)
			got := b.Post("/slow")
			if c.after {
				if got.Status != 200 || !b.Opens() {
					t.Errorf("an honest sign-in: %d %s", got.Status, got.Body)
				}
				return
			}
			if got.Status != 401 || got.Code(t) != "session_revoked" || got.Cookie != nil {
				t.Errorf("%d %s, cookie %v", got.Status, got.Body, got.Cookie)
			}
			if n := app.Log.Count(revoke.SignInRefused); n != 1 {
				t.Errorf("%d sign_in_refused in the log, want 1", n)
			}
			if b.Opens() {
				t.Error("signed in all the same")
			}
		}))
	}
}

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
