package docs_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

// What docs/move.md tells applications to do, done.

// wall sends whoever is not signed in to the sign-in.
func wall(sessions *revoke.Manager, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, signedIn := sessions.Current(r.Context()); !signedIn {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func TestOutsideOfTheWall(t *testing.T) {
	app := testapp.Over(scs.New(), store.NewMemory())
	sessions, mux, account := app.Sessions, http.NewServeMux(), http.NotFoundHandler()
	mux.Handle("/account/", wall(sessions, account))
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/login"}))
	app.Handler = sessions.Track(mux)
	b := app.Browser(t)
	if got := b.Get("/account/"); got.Status != http.StatusSeeOther {
		t.Errorf("the wall: %d", got.Status)
	}
	if got := b.Get("/api/auth/sessions"); got.Code(t) != "unauthenticated" {
		t.Errorf("the API: %d %s", got.Status, got.Body)
	}
	if got := b.Get("/account/sessions"); got.Status != http.StatusSeeOther || got.Header.Get("Location") != "/login" {
		t.Errorf("the page: %d", got.Status)
	}
}

func TestRememberMe(t *testing.T) {
	app := testapp.Over(scs.New(), store.NewMemory())
	sm, sessions := app.SCS, app.Sessions
	sm.Lifetime = 90 * 24 * time.Hour
	sm.Cookie.Persist = false // the cookie goes with the browser, unless RememberMe says otherwise
	app.Handle("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Login(r.Context(), "ann"); err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		sm.RememberMe(r.Context(), r.FormValue("remember") == "on")
	})
	phone, laptop := app.Browser(t), app.Browser(t)
	if got := phone.Post("/sign-in"); got.Cookie == nil || !got.Cookie.Expires.IsZero() {
		t.Errorf("not to be remembered: %v", got.Cookie)
	}
	if got := laptop.Post("/sign-in?remember=on"); got.Cookie == nil || time.Until(got.Cookie.Expires) < 89*24*time.Hour {
		t.Errorf("to be remembered: %v", got.Cookie)
	}
	if got := phone.Delete(testapp.APIPath); got.Status != http.StatusOK || laptop.Opens() {
		t.Errorf("it is remembered after its end: %d", got.Status)
	}
}

// A notebook stands for the table of an application's own remember-me cookies.
type notebook map[string]int

func (n notebook) forget(userID string) error { delete(n, userID); return nil }

func TestRememberMeOfOnesOwn(t *testing.T) {
	app := testapp.Over(scs.New(), store.NewMemory())
	sessions, remembered := app.Sessions, notebook{"ann": 2}
	app.Handle("DELETE /devices/{id}", func(w http.ResponseWriter, r *http.Request) {
		current, _ := sessions.Current(r.Context())
		err := sessions.Guard(r)
		if err == nil {
			err = remembered.forget(current.UserID) // first, so that none is used in between
		}
		if err == nil {
			err = sessions.Revoke(r.Context(), current.UserID, r.PathValue("id"))
		}
		if err != nil {
			revoke.ProblemOf(err).Write(w)
		}
	})
	phone, laptop := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	if got := laptop.Delete("/devices/" + phone.ID()); got.Status != http.StatusOK || phone.Opens() || len(remembered) != 0 {
		t.Errorf("%d %s, %v", got.Status, got.Body, remembered)
	}
}

func TestSlidingDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sm := testapp.NewSCS()
		app := testapp.Over(sm, store.NewMemory())
		slide := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if ctx := r.Context(); time.Until(sm.Deadline(ctx)) < sm.Lifetime/2 {
					sm.SetDeadline(ctx, time.Now().Add(sm.Lifetime))
				}
				next.ServeHTTP(w, r)
			})
		}
		app.Handler = app.Sessions.Track(slide(app.Mux))
		b, cookies := app.SignedIn(t, "ann"), 0
		for range 5 * 24 { // of an hour each, under a Lifetime of a day
			time.Sleep(time.Hour)
			got := b.Get("/me")
			if got.Status != http.StatusOK {
				t.Fatal("signed out while in use")
			}
			if got.Cookie != nil {
				cookies++
			}
		}
		if cookies == 0 || cookies > 10 {
			t.Errorf("the cookie was set %d times", cookies)
		}
		time.Sleep(sm.Lifetime)
		if b.Opens() {
			t.Error("signed in when it was not used for a Lifetime")
		}
	})
}

func TestRenamedUser(t *testing.T) {
	app := testapp.Over(scs.New(), store.NewMemory())
	sessions, rename := app.Sessions, func(was, is string) error { return nil }
	renameUser := func(r *http.Request, was, is string) error {
		if _, err := sessions.RevokeAll(r.Context(), was); err != nil {
			return err
		}
		return rename(was, is)
	}
	old := app.SignedIn(t, "ann")
	app.Handle("POST /rename", func(w http.ResponseWriter, r *http.Request) {
		if err := renameUser(r, "ann", "anna"); err != nil {
			revoke.ProblemOf(err).Write(w)
		}
	})
	if got := app.Browser(t).Post("/rename"); got.Status != http.StatusOK || old.Opens() {
		t.Errorf("the old name's session is live: %d", got.Status)
	}
}

func TestUsersAndAdministrators(t *testing.T) {
	userSCS, adminSCS, st, mux := scs.New(), scs.New(), store.NewMemory(), http.NewServeMux()
	adminSCS.Cookie.Name = "admin_session"
	users, admins := revoke.New(userSCS, st), revoke.New(adminSCS, st)
	handler := users.Track(admins.Track(mux))

	mux.HandleFunc("POST /both", func(w http.ResponseWriter, r *http.Request) {
		if users.Login(r.Context(), "ann") != nil || admins.Login(r.Context(), "ann") != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	app := testapp.Over(scs.New(), store.NewMemory())
	app.Handler = handler
	if got := app.Browser(t).Post("/both"); got.Status != http.StatusOK {
		t.Fatalf("sign-in: %d", got.Status)
	}
	if ended, err := users.RevokeAll(t.Context(), "ann"); err != nil || len(ended) != 1 {
		t.Errorf("%d sessions of the user ended, %v", len(ended), err)
	}
	if list, err := admins.List(t.Context(), "ann"); err != nil || len(list) != 1 {
		t.Errorf("the administrator has %d sessions, %v", len(list), err)
	}
}

func TestActingForAUser(t *testing.T) {
	app := testapp.Over(scs.New(), store.NewMemory())
	sm := app.SCS
	app.Handle("POST /act", func(w http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "actingFor", r.FormValue("customer"))
	})
	app.Handle("POST /act/end", func(w http.ResponseWriter, r *http.Request) {
		sm.Remove(r.Context(), "actingFor")
	})
	staff := app.SignedIn(t, "sue")
	id := staff.ID()
	for _, path := range []string{"/act?customer=ann", "/act/end"} {
		if got := staff.Post(path); got.Status != http.StatusOK || !staff.Opens() || staff.ID() != id {
			t.Errorf("%s: %d", path, got.Status)
		}
		if n := len(app.List(t, "ann")); n != 0 {
			t.Errorf("the customer has %d sessions", n)
		}
	}
}
