package revoke

import (
	"bytes"
	"cmp"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// PageOptions are the options of [Manager.Page]. The zero value is a page in
// English at home in no application in particular.
type PageOptions struct {
	// LoginURL is where a visitor who is not signed in is sent (303 See Other),
	// as "/login?next=/account/sessions". Where it is empty, the visitor gets a
	// short page with status 401, which says when and why a session was revoked.
	LoginURL string

	// ReauthenticateURL is where users prove again who they are, when Authorize
	// wants them to: the page links to it. Where it is empty, there is no link.
	ReauthenticateURL string

	// Stylesheet is the URL of a stylesheet of the application's, on its own
	// origin, that comes after the page's. The head of page/page.css says which
	// variables it can set. Empty means none.
	Stylesheet string

	// Texts returns the texts for a request, for other languages than English.
	// What is empty in them is in English. Nil stands for English throughout.
	Texts func(*http.Request) PageTexts

	// Template takes the place of the page's own HTML document. It is executed
	// with a [*PageData]. Nil stands for the document that comes with the page.
	Template *template.Template

	// ContentSecurityPolicy takes the place of the page's own policy, which
	// allows its stylesheet, its forms and nothing else. A Template with scripts
	// or other stylesheets needs one.
	ContentSecurityPolicy string
}

// Page returns a page on which users see where they are signed in, end one of
// those sessions, or end all but the one in hand. It is whole without scripts,
// and can be mounted at any path:
//
//	mux.Handle("/account/sessions", sessions.Page(revoke.PageOptions{LoginURL: "/login"}))
//
// It must run under Track. Its forms are sent back to it, and pass what requests
// to the API pass: CrossOrigin, Limiter, Authorize, and the audit log. It
// answers an error with the API's status code, and in words.
func (m *Manager) Page(o PageOptions) http.Handler {
	p := &page{m: m, PageOptions: o}
	if p.ContentSecurityPolicy == "" {
		// Browsers hold where a form's answer redirects to against form-action.
		action := "'self'"
		if login, err := url.Parse(o.LoginURL); err == nil && login.Scheme != "" && login.Host != "" {
			action += " " + login.Scheme + "://" + login.Host
		}
		p.ContentSecurityPolicy = "default-src 'none'; style-src 'self'; form-action " + action +
			"; frame-ancestors 'none'; base-uri 'none'; img-src 'self' data:"
	}
	return p
}

type page struct {
	m *Manager
	PageOptions
}

// maxForm is more than a form of the page takes.
const maxForm = 4 << 10

var errMethod = errors.New("method not allowed")

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.m.request(r.Context()) == nil {
		panic("revoke: page outside of Track")
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case reads && r.URL.Query().Has("style"):
		serveStyle(w, r)
	case !reads && r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		p.fail(w, r, errMethod)
	default:
		err := p.m.Guard(r)
		if err == nil && reads {
			err = p.list(w, r, http.StatusOK, nil)
		} else if err == nil {
			err = p.post(w, r)
		}
		if err != nil {
			p.fail(w, r, err)
		}
	}
}

// post does what a form asks for, and sends the browser back to the page, where
// what happened is shown once.
func (p *page) post(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	ctx := r.Context()
	own := p.m.actorID(ctx)
	var done notice
	var err error
	if r.PostFormValue("others") == "true" {
		done, err = p.revokeOthers(r)
	} else {
		done, err = p.revoke(r, r.PostFormValue("session"))
	}
	if err != nil {
		return err
	}
	if p.m.actorID(ctx) != own { // it was the user's own session
		p.redirect(w, cmp.Or(p.LoginURL, self(r)))
		return nil
	}
	p.m.sm.Put(ctx, noticeKey, done.encode())
	p.redirect(w, self(r))
	return nil
}

func (p *page) revoke(r *http.Request, id string) (notice, error) {
	_, userID := p.m.current(r.Context())
	sessions, err := p.m.List(r.Context(), userID)
	if err != nil {
		return notice{}, err
	}
	err = p.m.Revoke(r.Context(), userID, id)
	if errors.Is(err, ErrNotFound) {
		return notice{Kind: noticeEnded}, nil
	}
	done := notice{Kind: noticeRevoked}
	for _, s := range sessions {
		if s.ID == id {
			done.Device = p.texts(r).name(s)
		}
	}
	return done, err
}

func (p *page) revokeOthers(r *http.Request) (notice, error) {
	if r.PostFormValue("confirm") != "true" {
		if err := p.m.confirm(r); err != nil {
			return notice{}, err
		}
	}
	ended, err := p.m.RevokeOthers(r.Context())
	return notice{Kind: noticeOthers, Count: len(ended)}, err
}

// list answers with the user's sessions, and with a message if there is one.
func (p *page) list(w http.ResponseWriter, r *http.Request, status int, message *PageMessage) error {
	_, userID := p.m.current(r.Context())
	sessions, err := p.m.List(r.Context(), userID)
	if err != nil {
		return err
	}
	t := p.texts(r)
	if message == nil && r.Method == http.MethodGet {
		message = decodeNotice(p.m.sm.PopString(r.Context(), noticeKey)).message(t)
	}
	p.write(w, r, p.data(t, status, message, sessions))
	return nil
}

// fail answers with an error, above the list where the user may still act on it.
func (p *page) fail(w http.ResponseWriter, r *http.Request, err error) {
	t, problem := p.texts(r), ProblemOf(err)
	if errors.Is(err, errMethod) {
		problem.Status = http.StatusMethodNotAllowed
	}
	if problem.Status == http.StatusUnauthorized && p.LoginURL != "" {
		p.redirect(w, p.LoginURL)
		return
	}
	if problem.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(problem.RetryAfter, 10))
	}
	message := &PageMessage{Error: true}
	listed := false
	switch problem.Code {
	case "unauthenticated":
		message.Text = t.NotSignedIn
	case "session_revoked":
		var why *RevokedError
		errors.As(err, &why)
		message.Text = t.Revoked(t.Time(why.At), why)
	case "cross_origin":
		message.Text, message.LinkText, message.URL = t.CrossOrigin, t.Back, self(r)
	case "rate_limited":
		message.Text, listed = t.RateLimited(time.Duration(problem.RetryAfter)*time.Second), true
	case "reauthentication_required":
		message.Text, listed = t.Reauthenticate, true
		if p.ReauthenticateURL != "" {
			message.LinkText, message.URL = t.ReauthenticateLink, p.ReauthenticateURL
		}
	case "confirmation_required":
		message.Text, listed = t.Unconfirmed(*problem.Count), true
	default:
		message.Text, message.LinkText, message.URL = t.Uncertain, t.TryAgain, self(r)
		if r.Method != http.MethodPost {
			message.Text = t.Unavailable
		}
		if errors.Is(err, errMethod) {
			message.Text, message.LinkText = t.Method, t.Back
		}
	}
	if listed && p.m.Err(r.Context()) == nil {
		if p.list(w, r, problem.Status, message) == nil {
			return
		}
	}
	p.write(w, r, p.data(t, problem.Status, message, nil))
}

// write renders the page as a whole before its first byte goes out.
func (p *page) write(w http.ResponseWriter, r *http.Request, data *PageData) {
	document := p.Template
	if document == nil {
		document = pageTemplate
	}
	var b bytes.Buffer
	if err := document.Execute(&b, data); err != nil {
		p.m.logger().ErrorContext(r.Context(), "revoke: page template", slog.String("error.message", clean(err.Error())))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	p.setHeaders(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(data.Status)
	_, _ = b.WriteTo(w) // what fails here is the client's connection
}

func (p *page) redirect(w http.ResponseWriter, location string) {
	p.setHeaders(w)
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

func (p *page) setHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", p.ContentSecurityPolicy)
	// Not no-referrer, under which a browser says "Origin: null" of a form.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
}

// self returns a relative reference to the page, which holds however it is
// mounted: behind http.StripPrefix, or a proxy that takes a prefix away.
func self(r *http.Request) string {
	path := r.URL.EscapedPath()
	if uri, err := url.ParseRequestURI(r.RequestURI); err == nil {
		path = uri.EscapedPath()
	}
	ref := "./" + path[strings.LastIndexByte(path, '/')+1:]
	if r.URL.RawQuery != "" {
		ref += "?" + r.URL.RawQuery
	}
	return ref
}

func (p *page) texts(r *http.Request) PageTexts {
	if p.Texts == nil {
		return english
	}
	return p.Texts(r).orEnglish()
}

// active is how long ago a session counts as active now: its uses within a
// TouchInterval are not written.
func (p *page) active() time.Duration { return time.Minute + p.m.touchInterval() }
