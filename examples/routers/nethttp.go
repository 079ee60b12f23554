package main

import (
	"net/http"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
)

func netHTTP(sessions *revoke.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /login", signIn(sessions))
	mux.Handle("POST /login/stream", stream(sessions))
	mux.Handle("GET /me", me(sessions))

	mux.Handle("GET /sessions", sessions.ListHandler())
	mux.Handle("DELETE /sessions/{id}", sessions.RevokeHandler())
	mux.Handle("DELETE /sessions", sessions.RevokeOthersHandler())

	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	return sessions.Track(mux)
}
