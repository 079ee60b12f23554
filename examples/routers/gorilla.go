package main

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
)

func gorilla(sessions *revoke.Manager) http.Handler {
	r := mux.NewRouter()
	r.Use(sessions.Track)
	r.Handle("/login", signIn(sessions)).Methods("POST")
	r.Handle("/login/stream", stream(sessions)).Methods("POST")
	r.Handle("/me", me(sessions)).Methods("GET")

	r.Handle("/sessions", sessions.ListHandler()).Methods("GET")
	r.Handle("/sessions/{id}", sessions.RevokeHandler()).Methods("DELETE")
	r.Handle("/sessions", sessions.RevokeOthersHandler()).Methods("DELETE")

	r.PathPrefix("/api/auth/sessions").Handler(sessions.Handler("/api/auth/sessions"))
	r.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	return r
}
