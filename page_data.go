package revoke

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/mileusna/useragent"
)

//go:embed page/page.html page/page.css
var pageFiles embed.FS

var (
	pageTemplate = template.Must(template.ParseFS(pageFiles, "page/page.html"))
	pageStyle, _ = pageFiles.ReadFile("page/page.css")
	styleVersion = func() string {
		sum := sha256.Sum256(pageStyle)
		return base64.RawURLEncoding.EncodeToString(sum[:12])
	}()
)

// serveStyle answers with the page's stylesheet. It is cached for good under
// its version, but by browsers only: the answer may carry a session's cookie.
func serveStyle(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("style") == styleVersion {
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(pageStyle)
}

// PageData is what the template of a [Manager.Page] is executed with. A template
// can put its own markup around the page's,
//
//	<link rel="stylesheet" href="{{.Style}}">
//	…
//	{{.Content}}
//
// or make its own of the rest. Its forms are then sent by POST to the page
// itself, with session=ID to end one session, or with others=true and
// confirm=true to end all but the current one.
type PageData struct {
	Texts      PageTexts
	Status     int           // the response's
	SignedIn   bool          // otherwise there is a Message, and no session
	Message    *PageMessage  // nil where there is nothing to say
	Current    *PageSession  // the session of the request; nil where it has just ended
	Others     []PageSession // the most recently seen first
	Style      string        // the URL of the page's stylesheet
	Stylesheet string        // PageOptions.Stylesheet
}

// Content returns the page's own markup: what belongs into the body of an HTML
// document. Its ids and classes begin with "revoke-".
func (d *PageData) Content() (template.HTML, error) {
	var b bytes.Buffer
	err := pageTemplate.ExecuteTemplate(&b, "content", d)
	return template.HTML(b.String()), err
}

// A PageMessage says what has happened, or why something has not.
type PageMessage struct {
	Error    bool
	Text     string
	URL      string // where to go on; may be empty
	LinkText string // of URL
}

// A PageSession is a session as the page shows it.
type PageSession struct {
	Session
	Name     string   // of the device: at most 80 characters, fit to stand in a sentence
	Form     string   // "phone", "tablet", "computer" or "unknown"
	SignOut  string   // "Sign out of Chrome on Windows"
	Confirm  string   // "Sign out of Chrome on Windows?"
	Address  string   // empty where it is not known
	Details  []string // labels, as PageTexts.Label has them: at most 80 characters each
	Active   PageTime // when it was last seen
	SignedIn PageTime // when it was created
}

// A PageTime is a time in words.
type PageTime struct {
	Text  string // "Active 3 hours ago"
	Exact string // "3 June 2025 at 15:04 UTC"
	Now   bool   // it is now, as far as is known
	Time  time.Time
}

// Datetime returns the time as the attribute of that name has it.
func (t PageTime) Datetime() string { return t.Time.UTC().Format(time.RFC3339) }

// data puts a page together: a list of sessions, or a message alone.
func (p *page) data(t PageTexts, status int, message *PageMessage, sessions []Session) *PageData {
	d := &PageData{
		Texts: t, Status: status, SignedIn: sessions != nil, Message: message,
		Style: "?style=" + styleVersion, Stylesheet: p.Stylesheet,
	}
	now := time.Now()
	for _, s := range sessions {
		shown := p.session(t, s, now)
		if s.Current {
			d.Current = &shown
		} else {
			d.Others = append(d.Others, shown)
		}
	}
	return d
}

func (p *page) session(t PageTexts, s Session, now time.Time) PageSession {
	seen, created := ago(now.Sub(s.LastSeenAt)), ago(now.Sub(s.CreatedAt))
	if s.Current || now.Sub(s.LastSeenAt) < p.active() {
		seen = PageAgo{}
	}
	shown := PageSession{
		Session:  s,
		Name:     t.name(s),
		Form:     form(s.UserAgent),
		Active:   PageTime{t.Active(seen), t.Time(s.LastSeenAt), seen == PageAgo{}, s.LastSeenAt},
		SignedIn: PageTime{t.SignedIn(created), t.Time(s.CreatedAt), created == PageAgo{}, s.CreatedAt},
	}
	shown.SignOut, shown.Confirm = t.SignOutOf(shown.Name), t.Confirm(shown.Name)
	if s.IP.IsValid() {
		shown.Address = s.IP.String()
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		if text := t.Label(name, s.Labels[name]); text != "" {
			shown.Details = append(shown.Details, shorten(text))
		}
	}
	return shown
}

// form is what a device looks like.
func form(userAgent string) string {
	ua := useragent.Parse(userAgent)
	switch {
	case ua.Tablet:
		return "tablet"
	case ua.Mobile:
		return "phone"
	case ua.Desktop:
		return "computer"
	}
	return "unknown"
}

// A notice is what a form has done. It waits in the session's data to be shown
// once: no link can make the page show one.
type notice struct {
	Kind   string `json:"kind"`
	Device string `json:"device,omitempty"`
	Count  int    `json:"count,omitempty"`
}

const (
	noticeKey     = "revoke.page.notice"
	noticeRevoked = "revoked"
	noticeOthers  = "revoked_others"
	noticeEnded   = "ended"
)

// encode makes a string of a notice: every codec stores strings.
func (n notice) encode() string {
	b, _ := json.Marshal(n) // texts do not fail
	return string(b)
}

func decodeNotice(s string) (n notice) {
	_ = json.Unmarshal([]byte(s), &n) // no notice otherwise
	return n
}

func (n notice) message(t PageTexts) *PageMessage {
	switch n.Kind {
	case noticeRevoked:
		return &PageMessage{Text: t.SignedOutOf(n.Device)}
	case noticeOthers:
		return &PageMessage{Text: t.SignedOutOfOthers(n.Count)}
	case noticeEnded:
		return &PageMessage{Text: t.AlreadyEnded}
	}
	return nil
}
