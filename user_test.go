package revoke_test

import (
	"encoding/gob"
	"fmt"
	"net/http"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

type (
	uuid    [16]byte // with a text of its own, as those of libraries have
	rawID   [4]byte
	handle  string
	account struct{ ID int64 }
	silent  struct{ A int }
)

func (u uuid) String() string { return fmt.Sprintf("%x", u[:]) }
func (silent) String() string { return "" }

// TestUserIDTypes shows which values name a user, and how that user is called.
func TestUserIDTypes(t *testing.T) {
	for _, v := range []any{uuid{}, rawID{}, handle(""), account{}, silent{}, [16]byte{}} {
		gob.Register(v)
	}
	for _, c := range []struct {
		value any
		user  string // "" for nobody
	}{
		{"ann", "ann"},
		{handle("ann"), "ann"},
		{7, "7"}, {int64(-7), "-7"}, {uint8(7), "7"}, {7.0, "7"},
		{[]byte("ann"), "ann"},
		{[16]byte{15: 1}, "00000000000000000000000000000001"},
		{rawID{1, 2, 3, 4}, "01020304"},
		{uuid{15: 1}, "00000000000000000000000000000001"},
		{"", ""}, {0, ""}, {[]byte{}, ""}, {[16]byte{}, ""}, {uuid{}, ""}, {silent{1}, ""},
	} {
		t.Run(fmt.Sprintf("%T %v", c.value, c.value), func(t *testing.T) {
			app := testapp.Over(scs.New(), store.NewMemory())
			app.Handle("POST /enter", func(_ http.ResponseWriter, r *http.Request) { app.SCS.Put(r.Context(), "userID", c.value) })
			b := app.Browser(t)
			if got := b.Post("/enter"); got.Status != http.StatusOK {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
			got := b.Get(testapp.APIPath)
			if signedIn := got.Status == http.StatusOK; signedIn != (c.user != "") {
				t.Errorf("the list: %d %s", got.Status, got.Body)
			}
			if c.user != "" && len(app.List(t, c.user)) != 1 {
				t.Errorf("%q has no session", c.user)
			}
		})
	}
}

// TestUserIDInsideAStruct shows what Manager.UserID is for, and what Login does with
// it.
func TestUserIDInsideAStruct(t *testing.T) {
	gob.Register(account{})
	app := testapp.Over(scs.New(), store.NewMemory())
	app.Sessions.UserID = func(get func(string) any) string {
		a, _ := get("account").(account)
		if a.ID == 0 {
			return ""
		}
		return fmt.Sprint(a.ID)
	}
	app.Handle("POST /enter", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("forget") == "" {
			app.SCS.Put(r.Context(), "account", account{7})
		}
		if err := app.Sessions.Login(r.Context(), "7"); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	b := app.Browser(t)
	if got := b.Post("/enter?forget=true"); got.Status != http.StatusInternalServerError || b.Cookie != "" {
		t.Errorf("Login before the value is there: %d, cookie %q", got.Status, b.Cookie)
	}
	b.Post("/enter")
	if got := b.Get(testapp.APIPath); got.Status != http.StatusOK {
		t.Errorf("the list: %d %s", got.Status, got.Body)
	}
	if n := len(app.List(t, "7")); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}
