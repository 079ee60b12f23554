package revoke_test

import (
	"encoding/gob"
	"encoding/json"
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
	for _, value := range []any{[]byte("ann"), 3.5, true} {
		app := testapp.New(t, store.NewMemory())
		app.Handle("POST /put", func(w http.ResponseWriter, r *http.Request) { app.SCS.Put(r.Context(), "userID", value) })
		if got := app.Browser(t).Post("/put"); got.Status != http.StatusInternalServerError {
			t.Errorf("%T: %d", value, got.Status)
		}
	}
}
