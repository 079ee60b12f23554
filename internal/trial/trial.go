package trial

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// A trial is an application with one user, over revoke or over plain scs, in which
// a way is tried. The way ends the user's session. No token that the application
// has ever issued may open anything after that.
type trial struct {
	t    *testing.T
	app  *testapp.App
	end  func(ctx context.Context, token string)
	find func(then func()) // has then run after the next look-up of a token
	tap  *testapp.Tap      // before the store; nil over plain scs

	act     http.HandlerFunc // what POST /act does
	entered chan struct{}    // a request is in the handler, its session loaded
	release chan struct{}    // lets it go on
	served  sync.WaitGroup

	mu     sync.Mutex
	issued []string
}

// elsewhere is the context of a caller who is in no request.
var elsewhere = context.Background()

// overRevoke serves an application over revoke, in which a session is ended by its id.
func overRevoke(t *testing.T, st store.Store) *trial {
	tap := testapp.NewTap(st)
	app := testapp.Over(scs.New(), tap)
	app.Sessions.TouchInterval = 0                      // every request touches
	app.Sessions.AdoptUntil = time.Now().Add(time.Hour) // also under encryption
	tr := serve(t, app)
	tr.tap = tap
	tr.find = func(then func()) { tap.AfterNext("Find", then) }
	tr.end = func(ctx context.Context, token string) {
		id := app.BrowserWith(t, token).ID()
		if err := app.Sessions.Revoke(ctx, "ann", id); err != nil {
			t.Errorf("revoke: %v", err)
		}
	}
	return tr
}

// serve serves an application for a way to be tried in.
func serve(t *testing.T, app *testapp.App) *trial {
	tr := &trial{t: t, app: app, entered: make(chan struct{}, 2), release: make(chan struct{})}
	app.Handle("POST /act", func(w http.ResponseWriter, r *http.Request) { tr.act(w, r) })
	handler := app.Handler
	app.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tr.served.Add(1)
		defer tr.served.Done()
		handler.ServeHTTP(w, r)
	})
	app.Serve(t)
	return tr
}

// tracks reports whether the application is over revoke.
func (tr *trial) tracks() bool { return tr.app.Sessions != nil }

// send posts a request with a token, and returns the token that the response
// issued, or "".
func (tr *trial) send(path, token string) (issued string) {
	got := tr.app.BrowserWith(tr.t, token).Send("POST", path)
	if got.Cookie == nil || got.Cookie.Value == "" {
		return ""
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.issued = append(tr.issued, got.Cookie.Value)
	return got.Cookie.Value
}

func (tr *trial) signIn() (token string) {
	tr.t.Helper()
	if token = tr.send("/login?user=ann", ""); token == "" {
		tr.t.Fatal("sign-in issued no token")
	}
	if !tr.app.BrowserWith(tr.t, token).Opens() {
		tr.t.Fatal("the token of the sign-in opens nothing")
	}
	return token
}

// signInBefore signs the user in as it was before revoke came.
func (tr *trial) signInBefore() (token string) {
	tr.t.Helper()
	token = tr.app.Before(tr.t).SignedIn(tr.t, "ann").Cookie
	tr.issued = append(tr.issued, token)
	return token
}

// endAll ends all sessions of the user.
func (tr *trial) endAll() {
	if _, err := tr.app.Sessions.RevokeAll(elsewhere, "ann"); err != nil {
		tr.t.Errorf("revoke all: %v", err)
	}
}

// inFlight starts a request that loads the session, stops there until it is
// released, and then acts. It returns when the request is there. The function
// returned releases the request, and returns the token that it issued.
func (tr *trial) inFlight(token string, act http.HandlerFunc) (finish func() (issued string)) {
	return tr.start(token, func(w http.ResponseWriter, r *http.Request) {
		tr.pause()
		act(w, r)
	})
}

// start is inFlight for a handler that calls pause by itself.
func (tr *trial) start(token string, handler http.HandlerFunc) (finish func() (issued string)) {
	tr.act = handler
	done := make(chan string)
	go func() { done <- tr.send("/act", token) }()
	<-tr.entered
	return func() string {
		tr.release <- struct{}{}
		return <-done
	}
}

func (tr *trial) pause() {
	tr.entered <- struct{}{}
	<-tr.release
}

// opens returns the first token ever issued that still opens the protected page.
func (tr *trial) opens() string {
	for _, token := range tr.issued {
		if tr.app.BrowserWith(tr.t, token).Opens() {
			return token
		}
	}
	return ""
}
