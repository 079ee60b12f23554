package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
)

// reauthenticate takes the form field "user" for a password, and notes that the
// user of the session has proved again who they are.
func reauthenticate(sm *scs.SessionManager, sessions *revoke.Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if sessions.Err(r.Context()) != nil {
			http.Error(w, "You are not signed in.", http.StatusUnauthorized)
			return
		}
		if r.PostFormValue("user") != sm.GetString(r.Context(), sessions.UserIDKey) {
			http.Error(w, "That is not who is signed in here.", http.StatusForbidden)
			return
		}
		if err := sessions.Reauthenticated(r.Context()); err != nil {
			http.Error(w, "That failed. Try again.", http.StatusServiceUnavailable)
			return
		}
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			http.Redirect(w, r, "/account/sessions", http.StatusSeeOther)
			return
		}
		fmt.Fprintln(w, "You have proved who you are.")
	}
}

func reauthenticateForm(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Confirm that it's you</title>
<h1>Confirm that it's you</h1>
<form method="post">
<label>Your name: <input name="user" required autofocus></label>
<button>Confirm</button>
</form>
`)
}
