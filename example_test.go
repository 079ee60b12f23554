package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

var sessions = revoke.New(scs.New(), store.NewMemory())

func checkPassword(*http.Request) (userID string, ok bool) { return "ann", true }

func alert(revoke.Event) {}

// ask sends a request to a handler under Track, and returns its answer.
func ask(h http.HandlerFunc, header ...string) string {
	r := httptest.NewRequest("POST", "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	sessions.Track(h).ServeHTTP(w, r)
	return strings.TrimSpace(w.Body.String())
}

// A complete integration.
func Example() {
	sm := scs.New()
	sessions := revoke.New(sm, store.NewMemory())

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		userID, ok := checkPassword(r)
		if !ok {
			http.Error(w, "wrong name or password", http.StatusUnauthorized)
			return
		}
		if err := sessions.Login(r.Context(), userID); err != nil {
			revoke.ProblemOf(err).Write(w)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Logout(r.Context()); err != nil {
			revoke.ProblemOf(err).Write(w)
		}
	})
	sessions.Mount(mux, "/api/auth/sessions")

	handler := sessions.Track(mux) // for http.ListenAndServe

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	r := httptest.NewRequest("DELETE", "/api/auth/sessions", nil)
	r.AddCookie(w.Result().Cookies()[0])
	w = httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	// Output: 200 {"count":0,"revoked":[]}
}

// Serving an application. Track is around every route that uses the session.
func ExampleManager_Track() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		session, signedIn := sessions.Current(r.Context())
		if !signedIn {
			http.Error(w, "Sign in first.", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "Hello, %s.", session.UserID)
	})
	handler := http.NewCrossOriginProtection().Handler(sessions.Track(mux)) // for http.ListenAndServe

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/me", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 401 Sign in first.
}

// The HTTP API, under a prefix.
func ExampleManager_Mount() {
	mux := http.NewServeMux()
	sessions.Mount(mux, "/api/auth/sessions")

	w := httptest.NewRecorder()
	sessions.Track(mux).ServeHTTP(w, httptest.NewRequest("GET", "/api/auth/sessions", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 401 {"title":"Unauthorized","status":401,"detail":"Unauthorized.","code":"unauthenticated"}
}

// Signing in a user whose password is right.
func ExampleManager_Login() {
	login := func(w http.ResponseWriter, r *http.Request) {
		userID, ok := checkPassword(r)
		if !ok {
			http.Error(w, "wrong name or password", http.StatusUnauthorized)
			return
		}
		if err := sessions.Login(r.Context(), userID); err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		fmt.Fprintf(w, "Welcome, %s.", userID)
	}
	fmt.Println(ask(login))
	// Output: Welcome, ann.
}

// Signing out.
func ExampleManager_Logout() {
	logout := func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Logout(r.Context()); err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		fmt.Fprint(w, "Bye.")
	}
	fmt.Println(ask(logout))
	// Output: Bye.
}

// Noting a new proof of who the user is, as Authorize may ask for.
func ExampleManager_Reauthenticated() {
	confirm := func(w http.ResponseWriter, r *http.Request) {
		if _, ok := checkPassword(r); !ok {
			http.Error(w, "wrong password", http.StatusUnauthorized)
			return
		}
		if err := sessions.Reauthenticated(r.Context()); err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		http.Redirect(w, r, "/account/sessions", http.StatusSeeOther)
	}
	fmt.Println(ask(confirm))
	// Output: {"title":"Unauthorized","status":401,"detail":"Unauthorized.","code":"unauthenticated"}
}

// A user's sessions, for staff to look at.
func ExampleManager_List() {
	list, err := sessions.List(context.Background(), "cem")
	if err != nil {
		log.Fatal(err)
	}
	for _, session := range list {
		fmt.Println(session.Device, session.IP, session.LastSeenAt)
	}
	fmt.Println(len(list), "sessions")
	// Output: 0 sessions
}

// Ending one of the user's own sessions, in a handler of the application.
func ExampleManager_Revoke() {
	end := func(w http.ResponseWriter, r *http.Request) {
		session, _ := sessions.Current(r.Context())
		err := sessions.Guard(r)
		if err == nil {
			err = sessions.Revoke(r.Context(), session.UserID, r.FormValue("id"))
		}
		if err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		fmt.Fprint(w, "That device is signed out.")
	}
	fmt.Println(ask(end))
	// Output: {"title":"Unauthorized","status":401,"detail":"Unauthorized.","code":"unauthenticated"}
}

// After a breach: nobody is signed in any more.
func ExampleManager_RevokeEveryone() {
	if err := sessions.RevokeEveryone(context.Background()); err != nil {
		log.Fatal(err) // some may live: try again
	}
	fmt.Println("Everyone signs in anew.")
	// Output: Everyone signs in anew.
}

// A client that keeps its token itself: an app signs in, and then proves its session
// by the Authorization header.
func ExampleManager_Issue() {
	sessions.Bearer = true
	login := func(w http.ResponseWriter, r *http.Request) {
		userID, ok := checkPassword(r)
		if !ok {
			http.Error(w, "wrong name or password", http.StatusUnauthorized)
			return
		}
		token, err := sessions.Issue(r.Context(), userID)
		if err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		io.WriteString(w, token)
	}
	notes := sessions.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := sessions.Current(r.Context())
		fmt.Fprintf(w, "Notes of %s.", session.UserID)
	}))
	fmt.Println(ask(notes.ServeHTTP, "Authorization", "Bearer "+ask(login)))
	// Output: Notes of ann.
}

// Handing out the next token. The first use of it ends the one before.
func ExampleManager_Rotate() {
	sessions.Bearer = true
	rotate := func(w http.ResponseWriter, r *http.Request) {
		token, err := sessions.Rotate(r.Context())
		if err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		io.WriteString(w, token)
	}
	fmt.Println(ask(rotate, "Authorization", "Bearer unknown"))
	// Output: {"title":"Unauthorized","status":401,"detail":"Unauthorized.","code":"unauthenticated"}
}

// Ending every session of a user whose password was reset, and signing the
// user in again.
func ExampleManager_RevokeAll() {
	reset := func(w http.ResponseWriter, r *http.Request) {
		// The new password is stored by now.
		ended, err := sessions.RevokeAll(r.Context(), "bob")
		if err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		if err := sessions.Login(r.Context(), "bob"); err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		fmt.Fprintf(w, "Signed out of %d devices.", len(ended))
	}
	fmt.Println(ask(reset))
	// Output: Signed out of 0 devices.
}

// Sessions and limits on Redis, encrypted, with a key that is being changed.
func Example_production() {
	var pool *redis.Pool
	newKey, err := store.AESGCM("2026-11", make([]byte, 32)) // 32 bytes from a secret manager
	if err != nil {
		log.Fatal(err)
	}
	oldKey, err := store.AESGCM("2026-10", make([]byte, 32))
	if err != nil {
		log.Fatal(err)
	}
	st, err := store.Encrypt(store.NewRedis(pool), newKey, oldKey)
	if err != nil {
		log.Fatal(err)
	}
	sessions := revoke.New(scs.New(), st)
	sessions.Limiter = store.NewRedisLimiter(pool, 10, time.Minute)
}

// Ending an event stream with its session.
func ExampleManager_Watch() {
	stream := func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := sessions.Watch(r.Context())
		defer cancel()
		for {
			select {
			case <-ctx.Done():
				fmt.Fprintf(w, "event: bye\ndata: %s\n\n", context.Cause(ctx))
				return
			case now := <-time.After(time.Second):
				fmt.Fprintf(w, "data: %s\n\n", now)
				http.NewResponseController(w).Flush()
			}
		}
	}
	fmt.Println(ask(stream))
	// Output:
	// event: bye
	// data: unauthenticated
}

// Telling the holder of a revoked session's cookie why it is over.
func ExampleManager_Err() {
	page := func(w http.ResponseWriter, r *http.Request) {
		var revoked *revoke.RevokedError
		switch err := sessions.Err(r.Context()); {
		case errors.As(err, &revoked):
			fmt.Fprintf(w, "Signed out at %s: %s", revoked.At, revoked.Reason)
		case err != nil:
			fmt.Fprint(w, "Not signed in")
		default:
			fmt.Fprint(w, "Welcome back")
		}
	}
	fmt.Println(ask(page))
	// Output: Not signed in
}

// The handlers one by one, for any router that sets the path value "id".
func ExampleManager_RevokeHandler() {
	mux := http.NewServeMux()
	mux.Handle("GET /account/devices", sessions.ListHandler())
	mux.Handle("DELETE /account/devices", sessions.RevokeOthersHandler())
	mux.Handle("DELETE /account/devices/{id}", sessions.RevokeHandler())
}

// Waking somebody up.
func ExampleManager_onEvent() {
	sessions.OnEvent = func(e revoke.Event) {
		if e.Kind == revoke.Suspicious {
			alert(e)
		}
	}
	sessions.OnEvent = nil
}

// Wanting a fresh sign-in before somebody ends other sessions.
func ExampleRecentLogin() {
	sessions.Authorize = revoke.RecentLogin(15 * time.Minute)
	sessions.Authorize = nil
}

// Refusing a session that is younger than the ones it wants to end, and then
// one that has not proved itself lately.
func ExampleSeasoned() {
	seasoned, recent := revoke.Seasoned(24*time.Hour), revoke.RecentLogin(time.Hour)
	sessions.Authorize = func(ctx context.Context, a revoke.Action) error {
		if err := seasoned(ctx, a); err != nil {
			return err
		}
		return recent(ctx, a)
	}
	sessions.Authorize = nil
}

// What a cookie should be in production.
func ExampleSecure() {
	sm := scs.New()
	revoke.Secure(sm)
	fmt.Println(sm.Cookie.Name, sm.Cookie.Secure, sm.Cookie.HttpOnly)
	// Output: __Host-session true true
}

// No session from before revoke is adopted from then on.
func ExampleManager_adoptUntil() {
	sessions := revoke.New(scs.New(), store.NewMemory())
	sessions.AdoptUntil = time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
}

// Ending a server without losing an event.
func ExampleManager_FlushEvents() {
	server := &http.Server{Handler: sessions.Track(http.NotFoundHandler())}
	shutdown := func(ctx context.Context) error {
		if err := server.Shutdown(ctx); err != nil {
			return err
		}
		return sessions.FlushEvents(ctx)
	}
	fmt.Println(shutdown(context.Background()))
	// Output: <nil>
}
