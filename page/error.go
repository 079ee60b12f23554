package page

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/revoke-sessions/revoke"
)

var errMethod = errors.New("method not allowed")

// fail answers with an error, above the list if the user may still act on it.
func (p *page) fail(w http.ResponseWriter, r *http.Request, err error) {
	t := p.texts(r)
	e := p.explain(r, t, err)
	if e.status == http.StatusUnauthorized && p.LoginURL != "" {
		p.redirect(w, p.LoginURL)
		return
	}
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(e.retryAfter, 10))
	}
	if e.listed && p.sessions.Err(r.Context()) == nil && p.list(w, r, e.status, e.message) == nil {
		return
	}
	p.write(w, r, p.data(t, e.status, e.message))
}

// An explanation is an error as the page answers it.
type explanation struct {
	status     int
	retryAfter int64 // seconds; zero if nothing is to be said about it
	message    *Message
	listed     bool // the user may still act on the list
}

func (p *page) explain(r *http.Request, t Texts, err error) explanation {
	problem := revoke.ProblemOf(err)
	e := explanation{status: problem.Status, retryAfter: problem.RetryAfter}
	say := func(text string) { e.message = &Message{Error: true, Text: text} }
	link := func(text, url string) { e.message.LinkText, e.message.URL = text, url }
	var (
		unreadable  *formError
		refused     *revoke.RefusedError
		stepUp      *revoke.ReauthenticationError
		revoked     *revoke.RevokedError
		limited     *revoke.RateLimitedError
		unconfirmed *revoke.ConfirmationError
	)
	switch {
	case errors.Is(err, errMethod):
		e.status = http.StatusMethodNotAllowed
		say(t.Method)
		link(t.Back, self(r))
	case errors.As(err, &unreadable):
		e.status, e.listed = unreadable.status, true
		say(t.Unreadable)
	case errors.As(err, &refused) && errors.As(refused, &stepUp):
		e.listed = true
		say(t.Reauthenticate)
		if p.ReauthenticateURL != "" {
			link(t.ReauthenticateLink, p.ReauthenticateURL)
		}
	case errors.As(err, &refused):
		e.listed = true
		say(t.Refused)
	case errors.As(err, &revoked):
		say(t.Revoked(t.Time(revoked.At), revoked))
	case errors.Is(err, revoke.ErrUnauthenticated):
		say(t.NotSignedIn)
	case errors.Is(err, revoke.ErrCrossOrigin):
		say(t.CrossOrigin)
		link(t.Back, self(r))
	case errors.As(err, &limited):
		e.listed = true
		say(t.RateLimited(time.Duration(problem.RetryAfter) * time.Second))
	case errors.As(err, &unconfirmed):
		e.listed = true
		say(t.Unconfirmed(unconfirmed.Count))
	case errors.Is(err, revoke.ErrNotReplicated):
		say(t.NotReplicated)
		link(t.Back, self(r))
	case r.Method == http.MethodPost && !errors.Is(err, revoke.ErrMisconfigured):
		say(t.Uncertain)
		link(t.TryAgain, self(r))
	default:
		say(t.Unavailable)
		link(t.TryAgain, self(r))
	}
	return e
}
