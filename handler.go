package revoke

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Mount registers [Manager.Handler] on mux under prefix, with and without a
// trailing slash, so that mux redirects no request.
func (m *Manager) Mount(mux *http.ServeMux, prefix string) {
	prefix = strings.TrimSuffix(prefix, "/")
	h := m.Handler(prefix)
	mux.Handle(prefix, h)
	mux.Handle(prefix+"/", h)
}

// Handler returns the API under prefix, for any router:
//
//	GET    prefix        lists the caller's sessions
//	DELETE prefix/{id}   revokes one of them
//	DELETE prefix        revokes all but the current one
//
// An empty id is one that does not exist: DELETE prefix/ answers 404. Only with
// an empty prefix is "/" the prefix itself.
//
// It must run under Track. Each request must pass [Manager.Guard], and each error
// is answered as a [Problem].
func (m *Manager) Handler(prefix string) http.Handler {
	prefix = strings.TrimSuffix(prefix, "/")
	list, revoke, others := m.ListHandler(), m.RevokeHandler(), m.RevokeOthersHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, prefix)
		if !ok {
			ProblemOf(m.misconfigured(r.Context(), fmt.Sprintf("the handler was made for the prefix %q, and is mounted at %q: pass that prefix to Handler, or an empty one under http.StripPrefix", prefix, r.URL.Path))).Write(w)
			return
		}
		id := strings.TrimPrefix(rest, "/")
		isPrefix := rest == "" || prefix == "" && rest == "/"
		switch {
		case id == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			list.ServeHTTP(w, r)
		case id == "" && r.Method != http.MethodDelete:
			methodNotAllowed(w, "GET", "HEAD", "DELETE")
		case isPrefix:
			others.ServeHTTP(w, r)
		default:
			r.SetPathValue("id", id)
			revoke.ServeHTTP(w, r)
		}
	})
}

// ListHandler answers GET with the caller's sessions, the current one first.
func (m *Manager) ListHandler() http.Handler {
	return m.guarded([]string{"GET", "HEAD"}, m.Guard, func(w http.ResponseWriter, r *http.Request) error {
		_, userID := m.current(r.Context())
		sessions, err := m.List(r.Context(), userID)
		if err != nil {
			return err
		}
		body, err := json.Marshal(struct {
			Sessions []Session `json:"sessions"`
		}{sessions})
		if err != nil {
			return m.misconfigured(r.Context(), "the store returns what JSON cannot express: "+err.Error())
		}
		writeJSON(w, http.StatusOK, "application/json", body)
		return nil
	})
}

// RevokeHandler answers DELETE by revoking one session of the caller's. Its id is
// the request's path value "id", or else the last segment of the path: many
// routers set no path values. To revoke one's own session is to sign out.
func (m *Manager) RevokeHandler() http.Handler {
	guard := func(r *http.Request) error {
		if id := sessionID(r); id != "" && id == m.actorID(r.Context()) {
			return m.GuardLogout(r)
		}
		return m.Guard(r)
	}
	return m.guarded([]string{"DELETE"}, guard, func(w http.ResponseWriter, r *http.Request) error {
		_, userID := m.current(r.Context())
		id := sessionID(r)
		if err := m.Revoke(r.Context(), userID, id); err != nil {
			return err
		}
		writeRevoked(w, []string{id})
		return nil
	})
}

// sessionID returns the id that a request names, or "".
func sessionID(r *http.Request) string {
	if id := r.PathValue("id"); id != "" {
		return id
	}
	path := r.URL.EscapedPath()
	return path[strings.LastIndexByte(path, '/')+1:]
}

// RevokeOthersHandler answers DELETE by revoking all of the caller's sessions
// but the current one.
func (m *Manager) RevokeOthersHandler() http.Handler {
	return m.guarded([]string{"DELETE"}, m.Guard, func(w http.ResponseWriter, r *http.Request) error {
		if err := m.confirm(r); err != nil {
			return err
		}
		ended, err := m.RevokeOthers(r.Context())
		if err != nil {
			return err
		}
		ids := make([]string, len(ended))
		for i, s := range ended {
			ids[i] = s.ID
		}
		writeRevoked(w, ids)
		return nil
	})
}

// confirm asks back, if it is to, before all others are revoked.
func (m *Manager) confirm(r *http.Request) error {
	if !m.Confirm || r.URL.Query().Get("confirm") == "true" {
		return nil
	}
	_, userID := m.current(r.Context())
	sessions, err := m.List(r.Context(), userID)
	if err != nil {
		return err
	}
	others := 0
	for _, s := range sessions {
		if !s.Current {
			others++
		}
	}
	return &ConfirmationError{Count: others}
}

// guarded is what the handlers have in common.
func (m *Manager) guarded(methods []string, guard func(*http.Request) error, do func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			methodNotAllowed(w, methods...)
			return
		}
		err := guard(r)
		if err == nil {
			err = do(w, r)
		}
		if err != nil {
			m.answer(w, r, err)
		}
	})
}

func writeRevoked(w http.ResponseWriter, ids []string) {
	body, _ := json.Marshal(struct { // texts do not fail
		Count   int      `json:"count"`
		Revoked []string `json:"revoked"`
	}{len(ids), ids})
	writeJSON(w, http.StatusOK, "application/json", body)
}

func writeJSON(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // what fails here is the client's connection
}
