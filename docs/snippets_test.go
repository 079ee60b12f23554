package docs_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

// What the documents show and no example has.

func checkPassword(r *http.Request) (userID string, err error) {
	if r.FormValue("password") != "right" {
		return "", errors.New("wrong password")
	}
	return "ann", nil
}

// integration is the README's.
func integration() http.Handler {
	sm := scs.New()
	sessions := revoke.New(sm, store.NewMemory())

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		userID, err := checkPassword(r)
		if err != nil {
			http.Error(w, "wrong name or password", http.StatusUnauthorized)
			return
		}
		if err := sessions.Login(r.Context(), userID); err != nil {
			http.Error(w, "sign-in failed", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/account/sessions", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Logout(r.Context()); err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))

	handler := http.NewCrossOriginProtection().Handler(sessions.Track(mux))
	// log.Fatal(http.ListenAndServe("localhost:4000", handler))
	return handler
}

// TestIntegration runs what the README shows.
func TestIntegration(t *testing.T) {
	server := httptest.NewServer(integration())
	defer server.Close()
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var cookie *http.Cookie
	for _, step := range []struct {
		request string
		status  int
	}{
		{"POST /login", http.StatusUnauthorized},
		{"POST /login?password=right", http.StatusSeeOther},
		{"GET /api/auth/sessions", http.StatusOK},
		{"GET /account/sessions", http.StatusOK},
		{"DELETE /api/auth/sessions", http.StatusOK},
		{"POST /logout", http.StatusSeeOther},
		{"GET /api/auth/sessions", http.StatusUnauthorized},
	} {
		method, path, _ := strings.Cut(step.request, " ")
		r, err := http.NewRequest(method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if cookie != nil {
			r.AddCookie(cookie)
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != step.status {
			t.Errorf("%s: %d, want %d", step.request, answer.StatusCode, step.status)
		}
		for _, c := range answer.Cookies() {
			if c.Value != "" {
				cookie = c // which goes on being sent after a sign-out
			}
		}
	}
}

// TestPolicyOfThePage shows that docs/page.md has the policy that the page sends.
func TestPolicyOfThePage(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/account/sessions", nil)
	integration().ServeHTTP(w, r)
	policy := w.Header().Get("Content-Security-Policy")
	if policy == "" || !strings.Contains(read(t, "docs/page.md"), "    "+policy+"\n") {
		t.Errorf("docs/page.md does not have %q", policy)
	}
}
