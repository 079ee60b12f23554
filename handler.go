package revoke

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Mount registers [Manager.Handler] on mux under prefix, with and without a
// trailing slash, so that no redirect turns a DELETE into something else.
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
// It must run under Track. Errors are RFC 9457 problem details with a stable
// "code".
func (m *Manager) Handler(prefix string) http.Handler {
	prefix = strings.TrimSuffix(prefix, "/")
	list, revoke, others := m.ListHandler(), m.RevokeHandler(), m.RevokeOthersHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, prefix), "/")
		switch {
		case id == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
			list.ServeHTTP(w, r)
		case id == "" && r.Method == http.MethodDelete:
			others.ServeHTTP(w, r)
		case id == "":
			methodNotAllowed(w, "GET", "HEAD", "DELETE")
		default:
			r.SetPathValue("id", id)
			revoke.ServeHTTP(w, r)
		}
	})
}

// ListHandler answers GET with the caller's sessions, the current one first.
func (m *Manager) ListHandler() http.Handler {
	return m.handle([]string{"GET", "HEAD"}, func(w http.ResponseWriter, r *http.Request) error {
		_, userID := m.current(r.Context())
		sessions, err := m.List(r.Context(), userID)
		if err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, "application/json", struct {
			Sessions []Session `json:"sessions"`
		}{sessions})
		return nil
	})
}

// RevokeHandler answers DELETE by revoking the caller's session whose id is
// the request's path value "id". The caller's own is a sign-out.
func (m *Manager) RevokeHandler() http.Handler {
	return m.handle([]string{"DELETE"}, func(w http.ResponseWriter, r *http.Request) error {
		_, userID := m.current(r.Context())
		id := r.PathValue("id")
		if err := m.Revoke(r.Context(), userID, id); err != nil {
			return err
		}
		writeRevoked(w, []string{id})
		return nil
	})
}

// RevokeOthersHandler answers DELETE by revoking all of the caller's sessions
// but the current one.
func (m *Manager) RevokeOthersHandler() http.Handler {
	return m.handle([]string{"DELETE"}, func(w http.ResponseWriter, r *http.Request) error {
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

// handle is what the handlers have in common. The order matters: a request
// from another site is refused before it counts towards a limit, and one over
// the limit or without a session before anything is done.
func (m *Manager) handle(methods []string, do func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.request(r.Context()) == nil {
			panic("revoke: handler outside of Track")
		}
		if !slices.Contains(methods, r.Method) {
			methodNotAllowed(w, methods...)
			return
		}
		err := m.guard(r)
		if err == nil {
			err = do(w, r)
		}
		if err != nil {
			problemOf(err).write(w)
		}
	})
}

// guard is what a request must pass before it lists or revokes anything.
func (m *Manager) guard(r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := m.checkOrigin(r); err != nil {
			return err
		}
		if err := m.limit(r); err != nil {
			return err
		}
	}
	return m.Err(r.Context())
}

// A confirmationError is the answer to a request that is to be confirmed.
type confirmationError struct{ count int }

func (e *confirmationError) Error() string { return "confirmation required" }

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
	return &confirmationError{others}
}

var errCrossOrigin = errors.New("cross-origin request")

func (m *Manager) checkOrigin(r *http.Request) error {
	guard := m.CrossOrigin
	if guard == nil {
		guard = new(http.CrossOriginProtection)
	}
	if err := guard.Check(r); err != nil {
		_, userID := m.current(r.Context())
		m.emit(r.Context(), Event{Kind: CrossOriginRefused, UserID: userID, SessionID: m.actorID(r.Context())})
		return errCrossOrigin
	}
	return nil
}

func writeRevoked(w http.ResponseWriter, ids []string) {
	writeJSON(w, http.StatusOK, "application/json", struct {
		Count   int      `json:"count"`
		Revoked []string `json:"revoked"`
	}{len(ids), ids})
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	body, err := json.Marshal(v)
	if err != nil { // a time that RFC 3339 cannot express
		newProblem(http.StatusInternalServerError, "internal_error", "The answer could not be written.").write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // what fails here is the client's connection
}
