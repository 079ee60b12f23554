package revoke_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
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

// Ending every session of a user whose password was reset, and signing the
// user in again.
func ExampleManager_RevokeAll() {
	reset := func(w http.ResponseWriter, r *http.Request) {
		// The new password is stored by now.
		ended, err := sessions.RevokeAll(r.Context(), "ann")
		if err != nil {
			http.Error(w, "Try again.", http.StatusServiceUnavailable)
			return
		}
		sessions.Login(r.Context(), "ann")
		fmt.Fprintf(w, "Signed out of %d devices.", len(ended))
	}
	w := httptest.NewRecorder()
	sessions.Track(http.HandlerFunc(reset)).ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	fmt.Println(w.Body)
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
	w := httptest.NewRecorder()
	sessions.Track(http.HandlerFunc(stream)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(strings.TrimSpace(w.Body.String()))
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
	w := httptest.NewRecorder()
	sessions.Track(http.HandlerFunc(page)).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Body)
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

// Believing a proxy on the same machine, and nobody else, about addresses.
func ExampleManager_clientIP() {
	sessions.ClientIP = func(r *http.Request) netip.Addr {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !peer.Addr().IsLoopback() {
			return peer.Addr()
		}
		client, _ := netip.ParseAddr(r.Header.Get("X-Real-Ip")) // which the proxy overwrites
		return client
	}
	sessions.ClientIP = nil
}

// Labels that help people to recognize a session.
func ExampleManager_describe() {
	sessions.Describe = func(r *http.Request) map[string]string {
		return map[string]string{"app": r.Header.Get("X-App-Version")}
	}
	sessions.Describe = nil
}

// What a cookie should be in production.
func ExampleSecure() {
	sm := scs.New()
	revoke.Secure(sm)
	fmt.Println(sm.Cookie.Name, sm.Cookie.Secure, sm.Cookie.HttpOnly)
	// Output: __Host-session true true
}
