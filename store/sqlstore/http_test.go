package sqlstore_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// testHTTP revokes a session in every way while a request of it is under way that then
// writes, and sees that nothing that was ever issued opens anything afterwards.
func testHTTP(t *testing.T, st store.Store, visitors scs.Store) {
	sm := scs.New()
	if visitors != nil {
		sm.Store = visitors
	}
	sessions := revoke.New(sm, st)
	entered, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		check(sessions.Login(r.Context(), r.FormValue("user")))
	})
	mux.HandleFunc("/me", func(w http.ResponseWriter, r *http.Request) {
		if sessions.Err(r.Context()) != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	mux.HandleFunc("/others", func(w http.ResponseWriter, r *http.Request) {
		must(sessions.RevokeOthers(r.Context()))
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-release
		switch r.FormValue("then") {
		case "write":
			sm.Put(r.Context(), "key", "value")
		case "renew":
			sm.RenewToken(r.Context())
		}
	})
	server := httptest.NewServer(sessions.Track(mux))
	defer server.Close()
	get := func(path, token string) (status int, issued string) {
		r := must(http.NewRequest("GET", server.URL+path, nil))
		if token != "" {
			r.AddCookie(&http.Cookie{Name: sm.Cookie.Name, Value: token})
		}
		resp := must(http.DefaultTransport.RoundTrip(r))
		defer resp.Body.Close()
		io.Copy(io.Discard, resp.Body)
		for _, c := range resp.Cookies() {
			issued = c.Value
		}
		return resp.StatusCode, issued
	}
	signInElsewhere := func(user string) (token string) {
		_, token = get("/login?user="+user, "")
		return token
	}
	ends := map[string]func(user, id string) error{
		"Revoke":    func(user, id string) error { return sessions.Revoke(t.Context(), user, id) },
		"RevokeAll": func(user, id string) error { return ignore(sessions.RevokeAll(t.Context(), user)) },
		"Everyone":  func(user, id string) error { return sessions.RevokeEveryone(t.Context()) },
		"RevokeOthers": func(user, id string) error {
			status, _ := get("/others", signInElsewhere(user))
			if status != http.StatusOK {
				return fmt.Errorf("RevokeOthers: %d", status)
			}
			return nil
		},
		"Eviction": func(user, id string) error {
			before := sessions.MaxPerUser
			sessions.MaxPerUser = 1
			signInElsewhere(user)
			sessions.MaxPerUser = before
			return nil
		},
	}
	for name, end := range ends {
		for _, then := range []string{"write", "renew"} {
			t.Run(name+" then "+then, func(t *testing.T) {
				user := name + then
				_, token := get("/login?user="+user, "")
				if status, _ := get("/me", token); status != http.StatusOK {
					t.Fatalf("after sign-in: %d", status)
				}
				issued := make(chan string)
				go func() {
					_, token := get("/slow?then="+then, token)
					issued <- token
				}()
				<-entered
				list := must(sessions.List(t.Context(), user))
				if len(list) != 1 {
					t.Fatalf("%d sessions are listed", len(list))
				}
				check(end(user, list[0].ID))
				release <- struct{}{}
				for _, token := range []string{token, <-issued} {
					if status, _ := get("/me", token); status != http.StatusUnauthorized {
						t.Errorf("a revoked session opens: %d", status)
					}
				}
				_, token = get("/login?user="+user, token)
				if status, _ := get("/me", token); status != http.StatusOK {
					t.Errorf("after another sign-in: %d", status)
				}
			})
		}
	}
}
