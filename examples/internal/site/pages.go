package site

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
)

// Pages returns the pages that need no form to be sent:
//
//	GET /    a form to sign in with, or to sign out
//	GET /me  the protected page, as text
func Pages(sessions *revoke.Manager) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /look", page.New(sessions, page.Options{})) // /look?style is its stylesheet
	mux.HandleFunc("GET /site.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		fmt.Fprint(w, style)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		current, _ := sessions.Current(r.Context())
		v := view{User: current.UserID}
		if over := revoked(sessions, r); over != nil {
			v.Error = fmt.Sprintf("You were signed out of this device at %s UTC.", over.At.Format(time.TimeOnly))
		}
		show(w, http.StatusOK, v)
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		current, signedIn := sessions.Current(r.Context())
		if !signedIn {
			why := "You are not signed in."
			if over := revoked(sessions, r); over != nil {
				why = fmt.Sprintf("This session was revoked at %s UTC (%s).", over.At.Format(time.TimeOnly), over.Reason)
			}
			http.Error(w, why, http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintf(w, "Hello, %s.\n", current.UserID)
	})
	return mux
}

// revoked returns when and why the request's session was revoked, and nil if it was not.
func revoked(sessions *revoke.Manager, r *http.Request) (err *revoke.RevokedError) {
	errors.As(sessions.Err(r.Context()), &err)
	return err
}

// Done says that a form was carried out. A program gets a text, and a person is sent to the
// next page.
func Done(w http.ResponseWriter, r *http.Request, text string) {
	if isPerson(r) {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, text)
}

// Fail says why a form was not carried out.
func Fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	if isPerson(r) {
		show(w, status, view{Error: text})
		return
	}
	http.Error(w, text, status)
}

func isPerson(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// A view is what the page shows.
type view struct {
	User  string // "" if nobody is signed in
	Error string // what went wrong, or ""
}

func show(w http.ResponseWriter, status int, v view) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(status)
	_ = document.Execute(w, v) // what fails here is the client's connection
}

var (
	//go:embed site.html
	html string
	//go:embed site.css
	style string

	document = template.Must(template.New("site").Parse(html))
)
