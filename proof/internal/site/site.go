// Package site is the application that is put to the test, as a process of its
// own, and a client of it.
package site

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
)

// A Config says how a process serves.
type Config struct {
	Listen     string        // host:port; port 0 picks one
	Store      Place         // of its sessions, and of its visitors'
	TouchEvery time.Duration // Manager.TouchInterval
	Defect     string        // of the store; see Defects
	Plain      bool          // serve with scs alone, as before revoke came
	ReuseGrace time.Duration // Manager.ReuseGrace
	Lease      time.Duration // of store.Lease; none if zero
}

const apiPath = "/api/auth/sessions"

// handler returns the application:
//
//	POST   /login?user=        signs in
//	POST   /logout             signs out
//	GET    /me                 answers with what POST /write left
//	POST   /write?value=       changes the session's data
//	POST   /renew              gives the session a fresh token
//	POST   /prove              likewise, as the user has proved who they are
//	POST   /plain/login?user=  signs in without revoke, as before it came
//	POST   /revoke-all         ends all sessions of the caller
//	POST   /reset?user=        ends all sessions of a user; without a session
//	POST   /reset-everyone     ends all sessions of all users
//	GET    /api/auth/sessions  and the rest of the API of revoke
//	GET    /debug              what the process holds
//
// and what addTokens has. With the parameter delay, in microseconds, a handler waits with
// the session in hand, as one does that has work to do.
func handler(c Config) (http.Handler, error) {
	b, err := c.Store.open()
	if err != nil {
		return nil, err
	}
	if c.Plain {
		return plainHandler(b.visitors), nil
	}
	st, err := withDefect(c.Defect, b)
	if err != nil {
		return nil, err
	}
	sm := scs.New()
	sm.Store = b.visitors
	kept, live := c.leased(noting{st})
	sessions := revoke.New(sm, kept)
	sessions.MaxPerUser = 0
	sessions.TouchInterval = c.TouchEvery
	sessions.ReuseGrace = c.ReuseGrace
	sessions.Limiter = nil
	sessions.Logger = slog.New(slog.DiscardHandler)

	mux := http.NewServeMux()
	sessions.Mount(mux, apiPath)
	handle := func(pattern string, needsSession bool, do func(r *http.Request) (answer, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := sessions.Err(r.Context()); needsSession && err != nil {
				refuse(w, err)
				return
			}
			if delay, err := strconv.Atoi(r.FormValue("delay")); err == nil {
				time.Sleep(time.Duration(delay) * time.Microsecond)
			}
			answer, err := do(r)
			if err != nil {
				refuse(w, err)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	userID := func(r *http.Request) string { return sm.GetString(r.Context(), sessions.UserIDKey) }
	revoked := func(ended []revoke.Session, err error) (answer, error) {
		ids := make([]string, len(ended))
		for i, s := range ended {
			ids[i] = s.ID
		}
		return answer{Revoked: ids}, err
	}
	handle("POST /login", false, func(r *http.Request) (answer, error) {
		return answer{}, sessions.Login(r.Context(), r.FormValue("user"))
	})
	handle("POST /logout", true, func(r *http.Request) (answer, error) {
		return answer{}, sessions.Logout(r.Context())
	})
	handle("GET /me", true, func(r *http.Request) (answer, error) {
		return answer{User: userID(r), Value: sm.GetString(r.Context(), "value")}, nil
	})
	handle("POST /write", true, func(r *http.Request) (answer, error) {
		sm.Put(r.Context(), "value", r.FormValue("value"))
		return answer{User: userID(r)}, nil
	})
	handle("POST /renew", true, func(r *http.Request) (answer, error) {
		return answer{User: userID(r)}, sm.RenewToken(r.Context())
	})
	handle("POST /prove", true, func(r *http.Request) (answer, error) {
		return answer{User: userID(r)}, sessions.Reauthenticated(r.Context())
	})
	handle("POST /revoke-all", true, func(r *http.Request) (answer, error) {
		return revoked(sessions.RevokeAll(r.Context(), userID(r)))
	})
	handle("POST /reset", false, func(r *http.Request) (answer, error) {
		return revoked(sessions.RevokeAll(r.Context(), r.FormValue("user")))
	})
	handle("POST /reset-everyone", false, func(r *http.Request) (answer, error) {
		return answer{}, sessions.RevokeEveryone(r.Context())
	})

	addTokens(handle, sessions, live)

	outer := http.NewServeMux()
	outer.Handle("/", withOutcome(sessions.Track(mux)))
	outer.Handle("POST /plain/login", plainLogin(b.visitors))
	outer.HandleFunc("GET /debug", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, holdings(b))
	})
	return outer, nil
}

// An answer is the body of a response: of this application's, and of those of
// revoke's own that a client needs to understand.
type answer struct {
	User     string   `json:"user,omitempty"`
	Value    string   `json:"value,omitempty"`
	Token    string   `json:"token,omitempty"`
	Code     string   `json:"code,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Revoked  []string `json:"revoked,omitempty"`
	Sessions []Listed `json:"sessions,omitempty"`
}

// A Listed is a session as in a list.
type Listed struct {
	ID        string `json:"id"`
	UserAgent string `json:"user_agent"`
	Current   bool   `json:"current"`
}

// refuse answers as the API of revoke does.
func refuse(w http.ResponseWriter, err error) {
	var revoked *revoke.RevokedError
	switch {
	case errors.As(err, &revoked):
		writeJSON(w, http.StatusUnauthorized, answer{Code: "session_revoked", Reason: revoked.Reason})
	case errors.Is(err, revoke.ErrUnauthenticated):
		writeJSON(w, http.StatusUnauthorized, answer{Code: "unauthenticated"})
	default:
		writeJSON(w, http.StatusServiceUnavailable, answer{Code: "store_unavailable"})
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // what fails here is the client's connection
}
