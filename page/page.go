// Package page is a web page on which users see the devices that they are signed in
// on, and sign out of them.
//
//	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/login"}))
//
// [New] makes it, [Options] fit it into an application, and [Texts] translate it.
// An application that puts a document of its own around it uses [Data].
package page

import (
	"bytes"
	"cmp"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/revoke-sessions/revoke"
)

// Options fit the page into an application. The zero value is a page in English
// that knows no other page.
type Options struct {
	// LoginURL is the address to which visitors who are not signed in are sent (303 See
	// Other), as "/login?next=/account/sessions". If empty, they get a short page with
	// status 401, which says when and why a session was revoked.
	LoginURL string

	// ReauthenticateURL is a page on which users prove again who they are: the page links to
	// it if Manager.Authorize asks for that. If empty, there is no link.
	ReauthenticateURL string

	// Stylesheet is the URL of a stylesheet of the application's, on its own
	// origin. It comes after the page's own, and can set the variables at the head
	// of page.css. If empty, there is none.
	Stylesheet string

	// Texts returns the texts for a request, in another language than English.
	// English takes the place of those that are empty. If nil, all are English.
	Texts func(*http.Request) Texts

	// Template takes the place of the page's own HTML document. It is executed
	// with a [*Data]. If nil, the page has its own.
	Template *template.Template

	// ContentSecurityPolicy takes the place of the page's own policy, which
	// allows its stylesheet, its forms and nothing else. A Template with scripts
	// or other stylesheets needs one.
	ContentSecurityPolicy string
}

// New returns the page. It works without scripts, and can be mounted at any path.
//
// It must run under [revoke.Manager.Track]. Its forms are sent back to it, and
// pass what requests to the API pass: [revoke.Manager.Guard], Authorize and the
// audit log. It answers an error with the API's status code, and in words. The
// handler is safe for concurrent use.
func New(sessions *revoke.Manager, o Options) http.Handler {
	p := &page{sessions: sessions, Options: o}
	if p.ContentSecurityPolicy == "" {
		// Browsers apply form-action to the target of a redirect after a form, too.
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
	sessions *revoke.Manager
	Options
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case reads && r.URL.Query().Has("style"):
		serveStyle(w, r)
	case !reads && r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		p.fail(w, r, errMethod)
	default:
		err := p.serve(w, r, reads)
		if err != nil {
			p.fail(w, r, err)
		}
	}
}

func (p *page) serve(w http.ResponseWriter, r *http.Request, reads bool) error {
	if !reads {
		return p.post(w, r)
	}
	if err := p.sessions.Guard(r); err != nil {
		return err
	}
	return p.list(w, r, http.StatusOK, nil)
}

// list answers with the user's sessions, and with a message if there is one.
func (p *page) list(w http.ResponseWriter, r *http.Request, status int, message *Message) error {
	current, _ := p.sessions.Current(r.Context())
	sessions, err := p.sessions.List(r.Context(), current.UserID)
	if err != nil {
		return err
	}
	t := p.texts(r)
	if message == nil && r.Method == http.MethodGet {
		message = p.takeNotice(r.Context()).message(t)
	}
	data := p.data(t, status, message)
	p.show(data, r.URL.Query(), sessions)
	p.write(w, r, data)
	return nil
}

// write renders the page as a whole before its first byte goes out.
func (p *page) write(w http.ResponseWriter, r *http.Request, data *Data) {
	document := cmp.Or(p.Template, ownDocument())
	var b bytes.Buffer
	if err := document.Execute(&b, data); err != nil {
		log := cmp.Or(p.sessions.Logger, slog.Default())
		log.ErrorContext(r.Context(), "revoke: page template", slog.String("error.message", clean(err.Error())))
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
	// Under no-referrer a browser would send "Origin: null" with a form.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
}

// self returns a relative reference to the page. It is right behind
// http.StripPrefix too, and behind a proxy that removes a prefix.
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

func (p *page) texts(r *http.Request) Texts {
	if p.Texts == nil {
		return english
	}
	return p.Texts(r).orEnglish()
}
