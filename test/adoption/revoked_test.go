package adoption

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestOldCookieIsNoWayBack shows that no revocation leaves an old cookie open,
// whatever is forgotten, fails, or is under way.
func TestOldCookieIsNoWayBack(t *testing.T) {
	pushOut := func(t *testing.T, d deployment) {
		for range store.MaxTombstones + 5 {
			d.app.SignedIn(t, "ann").Post("/logout")
		}
	}
	everyone := func(t *testing.T, d deployment) {
		if err := d.app.Sessions.RevokeEveryone(context.Background()); err != nil {
			t.Error(err)
		}
	}
	for name, end := range map[string]func(t *testing.T, d deployment, b *testapp.Browser){
		"its tombstone is forgotten": func(t *testing.T, d deployment, b *testapp.Browser) {
			b.Get("/me")
			if err := d.app.Sessions.Revoke(context.Background(), "ann", d.app.List(t, "ann")[0].ID); err != nil {
				t.Error(err)
			}
			pushOut(t, d)
		},
		"the visitors' store failed meanwhile, and its tombstone is forgotten": func(t *testing.T, d deployment, b *testapp.Browser) {
			d.visitors.setFail(errors.New("down"))
			b.Get("/me")
			d.app.Sessions.RevokeAll(context.Background(), "ann")
			d.visitors.setFail(nil)
			time.Sleep(time.Second) // a sign-in of that very moment would be refused
			pushOut(t, d)
		},
		"all was revoked before its first request": func(t *testing.T, d deployment, b *testapp.Browser) {
			if _, err := d.app.Sessions.RevokeAll(context.Background(), "ann"); err != nil {
				t.Error(err)
			}
		},
		"all others were revoked before its first request": func(t *testing.T, d deployment, b *testapp.Browser) {
			if got := d.app.SignedIn(t, "ann").Delete(testapp.APIPath); got.Status != http.StatusOK {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		},
		"all is revoked while it is adopted": func(t *testing.T, d deployment, b *testapp.Browser) {
			d.visitors.onNext = func() { d.app.Sessions.RevokeAll(context.Background(), "ann") }
			b.Get("/me")
		},
		"everyone was revoked": func(t *testing.T, d deployment, b *testapp.Browser) {
			b.Get("/me")
			everyone(t, d)
		},
		"everyone was revoked before its first request": func(t *testing.T, d deployment, b *testapp.Browser) { everyone(t, d) },
		"everyone is revoked while it is adopted": func(t *testing.T, d deployment, b *testapp.Browser) {
			d.visitors.onNext = func() { everyone(t, d) }
			b.Get("/me")
		},
		"its deadline was brought forward": func(t *testing.T, d deployment, b *testapp.Browser) {
			d.app.Handle("POST /shorten", func(w http.ResponseWriter, r *http.Request) {
				d.app.SCS.SetDeadline(r.Context(), time.Now().Add(-time.Second))
			})
			b.Get("/me")
			b.Post("/shorten")
		},
		"it was renewed": func(t *testing.T, d deployment, b *testapp.Browser) {
			b.Post("/renew")
			if !b.Opens() { // its first use
				t.Error("the renewed token does not open")
			}
		},
	} {
		t.Run(name, testapp.Bubble(func(t *testing.T) {
			d := deploy(t, store.NewMemory())
			b := d.signedInBefore(t)
			old := b.Cookie
			end(t, d, b)
			for range 2 {
				if d.app.BrowserWith(t, old).Opens() {
					t.Error("the old cookie opens")
				}
			}
		}))
	}
}

// TestLateAdoptionIsNoWayBack lets the Create of an adoption fail for its caller, and
// take effect after everyone was revoked, or the process end before it has looked.
func TestLateAdoptionIsNoWayBack(t *testing.T) {
	down := errors.New("no answer")
	t.Run("Create takes effect later", testapp.Bubble(func(t *testing.T) {
		st := store.NewMemory()
		late := &lateCreate{Store: st, err: down}
		d := deploy(t, late)
		b := d.signedInBefore(t)
		if got := b.Get("/me"); got.Status != http.StatusServiceUnavailable {
			t.Fatalf("%d", got.Status)
		}
		if err := d.app.Sessions.RevokeEveryone(context.Background()); err != nil {
			t.Fatal(err)
		}
		late.takeEffect(t)
		checkDead(t, d, b.Cookie)
	}))
	for _, method := range []string{"RevokedEveryone", "Update"} {
		t.Run("the process ends before "+method, testapp.Bubble(func(t *testing.T) {
			tap := &failing{Store: store.NewMemory(), method: method, err: down}
			d := deploy(t, tap)
			b := d.signedInBefore(t)
			if got := b.Get("/me"); got.Status != http.StatusServiceUnavailable {
				t.Fatalf("%d", got.Status)
			}
			tap.method = ""
			if err := d.app.Sessions.RevokeEveryone(context.Background()); err != nil {
				t.Fatal(err)
			}
			checkDead(t, d, b.Cookie)
		}))
	}
}

// checkDead tries an old cookie, and every token that its holder can make of it.
func checkDead(t *testing.T, d deployment, old string) {
	t.Helper()
	cookies := []string{old}
	for record := range d.records(t) {
		cookies = append(cookies, record.User+"."+record.ID+"."+old)
	}
	for _, cookie := range cookies {
		if d.app.BrowserWith(t, cookie).Opens() {
			t.Errorf("the cookie %q opens", cookie)
		}
	}
	if n := len(d.app.List(t, "ann")); n != 0 {
		t.Errorf("%d sessions in the list", n)
	}
}

func (d deployment) records(t *testing.T) func(func(store.Record) bool) {
	return func(yield func(store.Record) bool) {
		d.app.SCS.Iterate(context.Background(), func(ctx context.Context) error {
			parts := strings.Split(strings.TrimPrefix(d.app.SCS.Token(ctx), "~"), ".")
			if len(parts) == 2 {
				yield(store.Record{User: parts[0], ID: parts[1]})
			}
			return nil
		})
	}
}

// lateCreate has the first Create fail, and take effect when told.
type lateCreate struct {
	store.Store
	err    error
	record *store.Record
}

func (l *lateCreate) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	if l.record == nil {
		l.record = &r
		return nil, l.err
	}
	return l.Store.Create(ctx, r, limit)
}

func (l *lateCreate) takeEffect(t *testing.T) {
	t.Helper()
	if _, err := l.Store.Create(context.Background(), *l.record, store.Limit{}); err != nil {
		t.Logf("the late Create was refused: %v", err)
	}
}

// failing has one method fail.
type failing struct {
	store.Store
	method string
	err    error
}

func (f *failing) RevokedEveryone(ctx context.Context) (time.Time, error) {
	if f.method == "RevokedEveryone" {
		return time.Time{}, f.err
	}
	return f.Store.RevokedEveryone(ctx)
}

func (f *failing) Update(ctx context.Context, r store.Record, was store.Hash) error {
	if f.method == "Update" {
		return f.err
	}
	return f.Store.Update(ctx, r, was)
}

// TestForgedTag writes a record into the visitors' store whose tag is made from what
// the session store holds of a session. It opens nothing: a copy of the session store is
// of no use, and no session is adopted over a store that encrypts.
func TestForgedTag(t *testing.T) {
	st := store.NewMemory()
	app := testapp.New(t, testapp.Encrypted(t, st))
	ann := app.SignedIn(t, "ann")
	record, err := st.Find(t.Context(), ann.UserKey(), ann.ID())
	if err != nil {
		t.Fatal(err)
	}
	data, err := scs.GobCodec{}.Encode(time.Now().Add(time.Hour), map[string]any{
		"userID":         "ann",
		"revoke.adopted": record.User + "." + record.ID + "." + base64.RawURLEncoding.EncodeToString(record.Secret[:]),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Visitors.Commit("forged", data, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if app.BrowserWith(t, "forged").Opens() {
		t.Error("a forged record opens a session")
	}
	if !ann.Opens() {
		t.Error("a forged record has ended a session")
	}
}
