package revoke

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mount registers [Manager.Handler] on mux under prefix, with and without a
// trailing slash. So mux redirects no request.
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
// An empty id is one that does not exist: the answer to DELETE prefix/ is 404, under
// http.StripPrefix too. Only at the root of a server is "/" the prefix itself.
//
// It must run under Track. Each request must pass [Manager.Guard]. Each error is
// answered as a [Problem].
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
		isPrefix := rest == "" || prefix == "" && rest == "/" && isRoot(r)
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

// isRoot reports whether a request is for "/", and was before http.StripPrefix.
func isRoot(r *http.Request) bool {
	u, err := url.ParseRequestURI(r.RequestURI)
	return err == nil && u.Path == "/"
}

// perList is how many sessions one answer lists.
const perList = 100

// ListHandler answers GET with the caller's sessions, the current one first. An answer has
// at most a hundred. If there are more, it has a link to the next hundred, page=2. If the
// page in the query is not a number, it is the first. A page past the end is empty.
func (m *Manager) ListHandler() http.Handler {
	return m.guarded([]string{"GET", "HEAD"}, m.Guard, func(w http.ResponseWriter, r *http.Request) error {
		_, userID := m.current(r.Context())
		sessions, err := m.List(r.Context(), userID)
		if err != nil {
			return err
		}
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		page = min(max(1, page), len(sessions)/perList+2) // at most one that is empty
		from, to := min((page-1)*perList, len(sessions)), min(page*perList, len(sessions))
		var list struct {
			Sessions []Session `json:"sessions"`
			Next     string    `json:"next,omitempty"` // relative to the request's URL
		}
		list.Sessions = sessions[from:to]
		if to < len(sessions) {
			list.Next = "?page=" + strconv.Itoa(page+1)
		}
		body, err := json.Marshal(list)
		if err != nil {
			return m.misconfigured(r.Context(), "the store returns what JSON cannot express: "+err.Error())
		}
		writeJSON(w, http.StatusOK, "application/json", body)
		return nil
	})
}

// RevokeHandler answers DELETE by revoking one session of the caller's. The id is the
// request's path value "id". If there is none, as with many routers, it is the last
// segment of the path. If it is the id of the caller's own session, the caller is signed
// out.
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

// Guard says whether a request may list or revoke sessions: nil if it may. In a handler
// of your own, call it first, as the API and the page do:
//
//	if err := sessions.Guard(r); err != nil {
//		revoke.ProblemOf(err).Write(w)
//		return
//	}
//
// Guard checks three things, in this order:
//
//   - The request comes from the same origin ([ErrCrossOrigin]), unless its method is
//     GET or HEAD.
//   - It is within the bounds of the Limiter ([*RateLimitedError]), unless its method is
//     GET or HEAD. Each call counts there, so call Guard once a request.
//   - It has a live session. If not, the error is the one of [Manager.Err].
//
// The order matters. A request from another site must not use up the user's
// limit, and a flood of requests without a session must meet the limit.
//
// Signing oneself out is not limited: see [Manager.GuardLogout].
//
// Guard does not call Authorize. [Manager.Revoke] and [Manager.RevokeOthers] do, because
// they know what is to end. Outside of Track, Guard returns [ErrMisconfigured].
func (m *Manager) Guard(r *http.Request) error { return m.guard(r, m.limit) }

// GuardLogout is Guard for a request that ends its own session and no other: it
// does not count, and the Limiter does not refuse it.
func (m *Manager) GuardLogout(r *http.Request) error {
	return m.guard(r, func(*http.Request) error { return nil })
}

func (m *Manager) guard(r *http.Request, limit func(*http.Request) error) error {
	if m.request(r.Context()) == nil {
		return m.misconfigured(r.Context(), "the handler is outside of Track: pass it to Manager.Track")
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := m.checkOrigin(r); err != nil {
			return err
		}
		if err := limit(r); err != nil {
			return err
		}
	}
	return m.Err(r.Context())
}

func (m *Manager) checkOrigin(r *http.Request) error {
	if m.request(r.Context()).came.header {
		return nil // no other site can know the token, and no cookie counts
	}
	protection := m.CrossOrigin
	if protection == nil {
		protection = new(http.CrossOriginProtection)
	}
	if err := protection.Check(r); err != nil {
		m.crossOriginRefused(r)
		return ErrCrossOrigin
	}
	return nil
}

// crossOriginRefused raises that a request came from another site, at most once a
// minute for each session, or for each network of strangers: they must not fill
// the log, nor crowd out other events.
func (m *Manager) crossOriginRefused(r *http.Request) {
	due := false
	m.crossings.With(m.limiterKey(r), func(raised *time.Time) {
		if due = time.Since(*raised) >= time.Minute; due {
			*raised = time.Now()
		}
	})
	if due {
		_, userID := m.current(r.Context())
		m.emit(r.Context(), Event{Kind: CrossOriginRefused, UserID: userID, SessionID: m.actorID(r.Context())})
	}
}

// openAPI describes the API under openAPIPrefix.
//
//go:embed docs/openapi.yaml
var openAPI string

const openAPIPrefix = "/api/auth/sessions"

// OpenAPI answers GET with a description of the API under prefix, in OpenAPI 3.1:
//
//	mux.Handle("GET /openapi.yaml", sessions.OpenAPI("/api/auth/sessions"))
//
// The description names the session's cookie as the [scs.SessionManager] has it. It
// is the same for everyone, and needs neither a session nor Track.
func (m *Manager) OpenAPI(prefix string) http.Handler {
	prefix = strings.TrimSuffix(prefix, "/")
	body := strings.NewReplacer(
		strconv.Quote(openAPIPrefix), strconv.Quote(cmp.Or(prefix, "/")),
		openAPIPrefix, prefix,
		`name: "session"`, "name: "+strconv.Quote(m.sm.Cookie.Name),
	).Replace(openAPI)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			methodNotAllowed(w, "GET", "HEAD")
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/yaml")
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write([]byte(body)) // what fails here is the client's connection
	})
}
