package main

import (
	"crypto"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
)

// addAPI adds the routes of the app:
//
//	POST /api/login          signs in as the form field "user"; answers with a refresh token
//	POST /api/token          exchanges a refresh token for an access token, and for the next
//	GET  /api/notes          wants either token
//	     /api/auth/sessions  lists and ends sessions
//	GET  /api/jwks           has the keys that services elsewhere need
func addAPI(mux *http.ServeMux, sm *scs.SessionManager, sessions *revoke.Manager, key crypto.Signer, url string) error {
	tokens, err := accesstoken.New(sessions, accesstoken.Config{
		Issuer: url, Audience: url + "/api", ClientID: "notes", Keys: []crypto.Signer{key},
	})
	if err != nil {
		return err
	}
	sessions.Bearer = true
	sessions.Authenticate = tokens.Authenticate

	mux.HandleFunc("POST /api/login", func(w http.ResponseWriter, r *http.Request) {
		userID := r.PostFormValue("user") // check the password here
		if userID == "" || len(userID) > 100 {
			http.Error(w, `Who are you? Send the form field "user".`, http.StatusUnauthorized)
			return
		}
		sm.Put(r.Context(), "plan", "pro") // goes into the new session
		token, err := sessions.Issue(r.Context(), userID)
		if err != nil {
			revoke.ProblemOf(err).Write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		json.NewEncoder(w).Encode(map[string]string{"refresh_token": token})
	})
	mux.Handle("POST /api/token", tokens.Handler())
	mux.Handle("GET /api/jwks", tokens.JWKS())
	mux.Handle("GET /api/notes", sessions.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := sessions.Current(r.Context())
		fmt.Fprintf(w, "Notes of %s.\n", session.UserID)
	})))
	sessions.Mount(mux, "/api/auth/sessions")
	return nil
}
