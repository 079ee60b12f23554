package revoke_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// TestSameAsPlainSCS has one browser do the same, by turns, with an application
// over plain scs and with one over revoke, which may be deployed in the middle:
// one request at a time, they cannot be told apart.
func TestSameAsPlainSCS(t *testing.T) {
	stories := uint64(1500)
	if testing.Short() {
		stories = 200
	}
	for seed := range stories {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			plain, tracked := &application{sm: newPlainManager()}, &application{sm: newPlainManager()}
			idle, persist, hashed, deployed := rnd.IntN(2) == 0, rnd.IntN(2) == 0, rnd.IntN(4) == 0, rnd.IntN(6)-2
			for _, a := range []*application{plain, tracked} {
				if idle {
					a.sm.IdleTimeout = 20 * time.Minute
				}
				a.sm.Cookie.Persist, a.sm.HashTokenInStore = persist, hashed
				a.handler = a.sm.LoadAndSave(a)
			}
			able := slices.Concat(usualActs, deadlineActs)
			if rnd.IntN(2) == 0 {
				able = slices.Concat(usualActs, emptyingActs)
			}
			story := fmt.Sprintf("seed %d, idle %v, persist %v, hashed %v:", seed, idle, persist, hashed)
			for n := range 8 {
				if n == max(deployed, 0) {
					tracked.deploy()
					story += " deployed,"
				}
				var acts []act
				for range rnd.IntN(4) {
					a := able[rnd.IntN(len(able))]
					acts, story = append(acts, a), story+" "+a.name
				}
				plain.send(acts)
				tracked.send(acts)
				if rnd.IntN(10) == 0 {
					plain.browser.close()
					tracked.browser.close()
					story += ", browser restarted"
				}
				if rnd.IntN(2) == 0 {
					pause := []time.Duration{time.Second, 70 * time.Second, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, 2 * time.Hour, 26 * time.Hour}[rnd.IntN(7)]
					time.Sleep(pause)
					story += fmt.Sprintf(", %v", pause)
				}
				story += ";"
				if want, got := plain.send(nil), tracked.send(nil); got != want {
					t.Fatalf("%s the session has %q, and over plain scs %q", story, got, want)
				}
			}
		})
	}
}

// An act is something that a handler does with the session.
type act struct {
	name string
	do   func(a *application, r *http.Request)
}

var usualActs = []act{
	{"puts", func(a *application, r *http.Request) { a.sm.Put(r.Context(), "cart", "book") }},
	{"flashes", func(a *application, r *http.Request) { a.sm.Put(r.Context(), "flash", "hello") }},
	{"pops", func(a *application, r *http.Request) { a.sm.PopString(r.Context(), "flash") }},
	{"removes", func(a *application, r *http.Request) { a.sm.Remove(r.Context(), "cart") }},
	{"signs ann in", func(a *application, r *http.Request) { a.signIn(r, "ann") }},
	{"signs bob in", func(a *application, r *http.Request) { a.signIn(r, "bob") }},
	{"signs out", func(a *application, r *http.Request) { a.signOut(r) }},
	{"destroys", func(a *application, r *http.Request) { a.sm.Destroy(r.Context()) }},
	{"renews", func(a *application, r *http.Request) { a.sm.RenewToken(r.Context()) }},
	{"remembers", func(a *application, r *http.Request) { a.sm.RememberMe(r.Context(), true) }},
	{"remembers no more", func(a *application, r *http.Request) { a.sm.RememberMe(r.Context(), false) }},
}

// These sign out by what they leave of the data. Over plain scs that goes on until
// the deadline of the session, here as a visitor's of its own.
var emptyingActs = []act{
	{"clears", func(a *application, r *http.Request) { a.sm.Clear(r.Context()) }},
	{"forgets the user", func(a *application, r *http.Request) {
		a.sm.RenewToken(r.Context())
		a.sm.Remove(r.Context(), "userID")
	}},
}

var deadlineActs = []act{
	{"shortens", func(a *application, r *http.Request) { a.sm.SetDeadline(r.Context(), time.Now().Add(61*time.Minute)) }},
	{"prolongs", func(a *application, r *http.Request) { a.sm.SetDeadline(r.Context(), time.Now().Add(72*time.Hour)) }},
}

// An application does with each request's session what it is told, and has a
// browser of its own.
type application struct {
	sm       *scs.SessionManager
	sessions *revoke.Manager // nil over plain scs
	handler  http.Handler
	acts     []act
	browser  cookieJar
}

// deploy has the application come to revoke.
func (a *application) deploy() {
	sm := newPlainManager()
	sm.Store, sm.IdleTimeout, sm.HashTokenInStore, sm.Cookie = a.sm.Store, a.sm.IdleTimeout, a.sm.HashTokenInStore, a.sm.Cookie
	a.sm, a.sessions = sm, revoke.New(sm, store.NewMemory())
	a.handler = a.sessions.Track(a)
}

func (a *application) signIn(r *http.Request, user string) {
	if a.sessions != nil {
		a.sessions.Login(r.Context(), user)
		return
	}
	a.sm.RenewToken(r.Context())
	a.sm.Put(r.Context(), "userID", user)
}

func (a *application) signOut(r *http.Request) {
	if a.sessions != nil {
		a.sessions.Logout(r.Context())
		return
	}
	a.sm.Destroy(r.Context())
}

// send sends a request, and returns what the session had when it arrived.
func (a *application) send(acts []act) (had string) {
	a.acts = acts
	r := httptest.NewRequest("POST", "/", nil)
	a.browser.send(r)
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	a.browser.receive(w.Result().Cookies())
	return w.Body.String()
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	keys := slices.DeleteFunc(a.sm.Keys(r.Context()), func(key string) bool { return strings.HasPrefix(key, "__") })
	had := strings.Join(keys, " ") + " " + a.sm.GetString(r.Context(), "userID")
	for _, act := range a.acts {
		act.do(a, r)
	}
	fmt.Fprint(w, had)
}

// A cookieJar holds the session's cookie as a browser does.
type cookieJar struct {
	value   string
	expires time.Time // zero: when the browser is closed
}

func (j *cookieJar) send(r *http.Request) {
	if j.value != "" && (j.expires.IsZero() || j.expires.After(time.Now())) {
		r.AddCookie(&http.Cookie{Name: "session", Value: j.value})
	}
}

func (j *cookieJar) receive(cookies []*http.Cookie) {
	for _, c := range cookies {
		switch *j = (cookieJar{value: c.Value}); {
		case c.MaxAge < 0:
			j.value = ""
		case c.MaxAge > 0:
			j.expires = time.Now().Add(time.Duration(c.MaxAge) * time.Second)
		}
	}
}

func (j *cookieJar) close() {
	if j.expires.IsZero() {
		j.value = ""
	}
}
