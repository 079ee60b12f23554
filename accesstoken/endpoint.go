package accesstoken

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/revoke-sessions/revoke"
)

// maxForm is how long a form may be, in bytes.
const maxForm = 8 << 10

// A grant is the answer of the token endpoint: RFC 6749, section 5.1.
type grant struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token"`
}

// Handler is the token endpoint (RFC 6749, sections 5 and 6). It takes a token of
// [revoke.Manager.Issue] as a form with grant_type=refresh_token and refresh_token, and
// answers with an access token and with the token of Issue that follows.
//
// The client keeps the new refresh token, on its disk, before it uses either: see
// [revoke.Manager.Rotate]. If it loses the answer, it asks again and gets the same one.
//
// It needs no [revoke.Manager.Track]. The answer is 400 invalid_grant if the session is
// over, which only a sign-in mends, 503 if the check failed, and 429 if the client asks too
// often: see [revoke.Manager.Limiter].
func (t *Tokens) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form, ok := parseForm(w, r)
		if !ok {
			return
		}
		switch {
		case form.Get("grant_type") == "":
			fail(w, http.StatusBadRequest, "invalid_request", "grant_type is missing")
			return
		case form.Get("grant_type") != "refresh_token":
			fail(w, http.StatusBadRequest, "unsupported_grant_type", "")
			return
		case form.Get("refresh_token") == "":
			fail(w, http.StatusBadRequest, "invalid_request", "refresh_token is missing")
			return
		}
		session, next, err := t.sessions.Refresh(r, form.Get("refresh_token"))
		switch {
		case errors.Is(err, revoke.ErrRevoked):
			fail(w, http.StatusBadRequest, "invalid_grant", "session revoked")
			return
		case errors.Is(err, revoke.ErrUnauthenticated):
			fail(w, http.StatusBadRequest, "invalid_grant", "")
			return
		case err != nil:
			failLater(w, err)
			return
		}
		token, expires, err := t.mint(session)
		if err != nil {
			slog.ErrorContext(r.Context(), "access token cannot be signed", "error", err)
			failLater(w, err)
			return
		}
		answer(w, http.StatusOK, grant{token, "Bearer", max(0, int64(time.Until(expires).Seconds())), next})
	})
}

// parseForm returns the form of a request, or answers that it has none.
func parseForm(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	if r.Method != http.MethodPost { // RFC 6749, section 3.2; RFC 7662, section 2.1
		w.Header().Set("Allow", http.MethodPost)
		fail(w, http.StatusMethodNotAllowed, "invalid_request", "")
		return nil, false
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.ParseForm() != nil {
		fail(w, http.StatusBadRequest, "invalid_request", "malformed form")
		return nil, false
	}
	// PostForm has nothing of another content type, and nothing of the URL, which gets into logs.
	for _, values := range r.PostForm {
		if len(values) > 1 {
			fail(w, http.StatusBadRequest, "invalid_request", "a parameter comes twice")
			return nil, false
		}
	}
	return r.PostForm, true
}

// fail answers with an error of RFC 6749, section 5.2.
func fail(w http.ResponseWriter, status int, code, description string) {
	answer(w, status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{code, description})
}

// failLater answers that the client is to keep its token and try again, or that the program
// has a mistake.
func failLater(w http.ResponseWriter, err error) {
	p := revoke.ProblemOf(err)
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(p.RetryAfter, 10))
	}
	code := "temporarily_unavailable"
	if errors.Is(err, revoke.ErrMisconfigured) {
		code = "server_error"
	}
	fail(w, p.Status, code, "")
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache") // RFC 6749, section 5.1
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
