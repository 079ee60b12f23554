package main

import (
	"fmt"
	"net/http"

	"github.com/revoke-sessions/revoke"
)

// signIn, stream and me are for the routers that take the handlers of net/http.

func signIn(sessions *revoke.Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Login(r.Context(), r.PostFormValue("user")); err != nil {
			http.Error(w, "Who are you?", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "Signed in.")
	}
}

func stream(sessions *revoke.Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Login(r.Context(), r.PostFormValue("user")); err != nil {
			http.Error(w, "Who are you?", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "Signed in.")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func me(sessions *revoke.Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		current, signedIn := sessions.Current(r.Context())
		if !signedIn {
			http.Error(w, "You are not signed in.", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "Hello, %s.\n", current.UserID)
	}
}
