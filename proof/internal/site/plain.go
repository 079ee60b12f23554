package site

import (
	"net/http"

	"github.com/alexedwards/scs/v2"
)

// plainHandler returns the application as it was before revoke came: POST /login,
// POST /write and GET /me.
func plainHandler(visitors scs.Store) http.Handler {
	sm := scs.New()
	sm.Store = visitors
	mux := http.NewServeMux()
	handle := func(pattern string, do func(r *http.Request)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			user := sm.GetString(r.Context(), "userID")
			if user == "" {
				writeJSON(w, http.StatusUnauthorized, answer{Code: "unauthenticated"})
				return
			}
			do(r)
			writeJSON(w, http.StatusOK, answer{User: user, Value: sm.GetString(r.Context(), "value")})
		})
	}
	handle("GET /me", func(*http.Request) {})
	handle("POST /write", func(r *http.Request) { sm.Put(r.Context(), "value", r.FormValue("value")) })
	outer := http.NewServeMux()
	outer.Handle("/", sm.LoadAndSave(mux))
	outer.Handle("POST /login", plainLogin(visitors))
	return outer
}

// plainLogin signs in as a node does that runs scs without revoke.
func plainLogin(visitors scs.Store) http.Handler {
	sm := scs.New()
	sm.Store = visitors
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := sm.Load(r.Context(), "")
		if err != nil {
			refuse(w, err)
			return
		}
		sm.Put(ctx, "userID", r.FormValue("user"))
		token, expiry, err := sm.Commit(ctx)
		if err != nil {
			refuse(w, err)
			return
		}
		sm.WriteSessionCookie(ctx, w, token, expiry)
		writeJSON(w, http.StatusOK, answer{User: r.FormValue("user")})
	})
}
