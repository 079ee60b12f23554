package revoke_test

import (
	"context"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/revoke-sessions/revoke"
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

func TestMain(m *testing.M) { testapp.Main(m) }

func TestSecure(t *testing.T) {
	sm := scs.New()
	sm.Cookie.Domain, sm.Cookie.Path, sm.Cookie.HttpOnly = "example.com", "/app", false
	revoke.Secure(sm)
	revoke.Secure(sm) // once is enough
	w := httptest.NewRecorder()
	m := revoke.New(sm, store.NewMemory())
	m.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.Login(r.Context(), "ann") })).
		ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	c := w.Result().Cookies()[0]
	if c.Name != "__Host-session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("%v", c)
	}
}

func TestStoreReplacedAfterNew(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.SCS.Store = memstore.New()
	b := app.Browser(t)
	if got := b.Post("/login?user=ann"); got.Status != http.StatusInternalServerError || b.Cookie != "" {
		t.Errorf("%d %q", got.Status, got.Body)
	}
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
		app := testapp.New(t, store.NewMemory())
		app.Sessions.UserIDKey = "authenticatedUserID"
		app.Handle("POST /put", func(w http.ResponseWriter, r *http.Request) {
			app.SCS.Put(r.Context(), "authenticatedUserID", test.value)
		})
		b := app.Browser(t)
		b.Post("/put")
		var want int
		if test.want != "" {
			want = 1
		}
		if got := len(app.List(t, test.want)); got != want || app.Log.Count(revoke.SignedIn) != want {
			t.Errorf("%T %v: %d sessions of user %q, want %d; log %s", test.value, test.value, got, test.want, want, app.Log)
		}
	}
}

// jsonCodec makes floats of integers, as JSON does.
type jsonCodec struct{}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(map[string]any{"deadline": deadline, "values": values})
}

func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var v struct {
		Deadline time.Time
		Values   map[string]any
	}
	err := json.Unmarshal(b, &v)
	return v.Deadline, v.Values, err
}

func TestIntegersUnderJSON(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.SCS.Codec = jsonCodec{}
	app.Handle("POST /seven", func(w http.ResponseWriter, r *http.Request) { app.SCS.Put(r.Context(), "userID", 7) })
	b := app.Browser(t)
	b.Post("/seven")
	if got := b.Get(testapp.APIPath); got.Status != http.StatusOK || len(app.List(t, "7")) != 1 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

// TestUserIDOfAnotherType shows that nobody is signed in without being tracked.
func TestUserIDOfAnotherType(t *testing.T) {
	for _, value := range []any{3.5, true, []string{"ann"}} {
		app := testapp.New(t, store.NewMemory())
		app.Handle("POST /put", func(w http.ResponseWriter, r *http.Request) { app.SCS.Put(r.Context(), "userID", value) })
		if got := app.Browser(t).Post("/put"); got.Status != http.StatusInternalServerError {
			t.Errorf("%T: %d", value, got.Status)
		}
	}
}

// TestRevokeAllOfAnotherUser shows that a request which revokes all sessions of one user
// and then signs another in has begun that sign-in no later for it.
func TestRevokeAllOfAnotherUser(t *testing.T) {
	testapp.Bubble(func(t *testing.T) {
		app := testapp.InBubble(store.NewMemory())
		app.Handle("POST /switch", func(_ http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			app.Sessions.RevokeAll(context.Background(), "bob") // elsewhere
			time.Sleep(time.Second)
			app.Sessions.RevokeAll(r.Context(), "ann")
			if err := app.Sessions.Login(r.Context(), "bob"); err != nil {
				t.Error(err)
			}
		})
		b := app.SignedIn(t, "ann")
		if got := b.Post("/switch"); got.Status != http.StatusUnauthorized || b.Opens() {
			t.Errorf("%d, and it opens: %v", got.Status, b.Opens())
		}
	})(t)
}

type Account struct{ ID string }

// A user ID inside a struct.
func ExampleManager_userID() {
	sessions := revoke.New(scs.New(), store.NewMemory())
	sessions.UserID = func(get func(key string) any) string {
		account, _ := get("account").(Account)
		return account.ID
	}
}
