package main

import (
	"net/http"

	"github.com/julienschmidt/httprouter"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
)

func httpRouter(sessions *revoke.Manager) http.Handler {
	r := httprouter.New()
	r.RedirectTrailingSlash = false // or DELETE /sessions/ becomes DELETE /sessions
	r.Handler("POST", "/login", signIn(sessions))
	r.Handler("POST", "/login/stream", stream(sessions))
	r.Handler("GET", "/me", me(sessions))

	r.Handler("GET", "/sessions", sessions.ListHandler())
	r.Handler("DELETE", "/sessions/:id", sessions.RevokeHandler())
	r.Handler("DELETE", "/sessions", sessions.RevokeOthersHandler())

	api := sessions.Handler("/api/auth/sessions")
	for _, method := range []string{"GET", "HEAD", "DELETE"} {
		r.Handler(method, "/api/auth/sessions", api)
		r.Handler(method, "/api/auth/sessions/*id", api)
	}
	account := page.New(sessions, page.Options{LoginURL: "/"})
	for _, method := range []string{"GET", "HEAD", "POST"} {
		r.Handler(method, "/account/sessions", account)
	}
	return sessions.Track(r)
}
