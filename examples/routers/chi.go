package main

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
)

func chiRouter(sessions *revoke.Manager) http.Handler {
	r := chi.NewRouter()
	r.Use(sessions.Track)
	r.Method("POST", "/login", signIn(sessions))
	r.Method("POST", "/login/stream", stream(sessions))
	r.Method("GET", "/me", me(sessions))

	r.Method("GET", "/sessions", sessions.ListHandler())
	r.Method("DELETE", "/sessions/{id}", sessions.RevokeHandler())
	r.Method("DELETE", "/sessions", sessions.RevokeOthersHandler())

	r.Mount("/api/auth/sessions", sessions.Handler("/api/auth/sessions"))
	r.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	return r
}
