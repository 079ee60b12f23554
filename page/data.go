package page

import (
	"bytes"
	"html/template"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/mileusna/useragent"

	"github.com/revoke-sessions/revoke"
)

// Data is what a template of the page is executed with. A template can put its
// own markup around the page's,
//
//	<link rel="stylesheet" href="{{.Style}}">
//	…
//	{{.Content}}
//
// or use the rest instead. Its forms are then sent by POST to the page itself,
// with session=ID to end one session, or with others=true and confirm=true to end
// all but the current one.
type Data struct {
	Texts      Texts
	Status     int       // of the response
	SignedIn   bool      // if not, there is a Message and no session
	Message    *Message  // nil if there is nothing to say
	Current    *Session  // the session of the request; nil if it has just ended
	Others     []Session // the most recently seen first, at most 100 a page
	OtherCount int       // how many others there are on all pages
	Previous   string    // the URL of the page before; empty on the first
	Next       string    // the URL of the page after; empty on the last
	Style      string    // the URL of the page's stylesheet
	Stylesheet string    // Options.Stylesheet
}

// Content returns the page's own markup: what belongs into the body of an HTML
// document. Its ids and classes begin with "revoke-".
func (d *Data) Content() (template.HTML, error) {
	var b bytes.Buffer
	err := ownDocument().ExecuteTemplate(&b, "content", d)
	return template.HTML(b.String()), err
}

// A Message says what has happened, or why something has not.
type Message struct {
	Error    bool
	Text     string
	URL      string // of the page to go on with; may be empty
	LinkText string // of URL
}

// A Session is a session as the page shows it.
type Session struct {
	revoke.Session
	Name     string   // of the device: at most 80 characters, fit to stand in a sentence
	Form     string   // "phone", "tablet", "computer" or "unknown"
	SignOut  string   // "Sign out of Chrome on Windows"
	Confirm  string   // "Sign out of Chrome on Windows?"
	Address  string   // empty if it is not known
	Details  []string // Texts.App of an app, and labels, as Texts.Label has them: at most 80 characters each
	Active   Time     // when it was last seen
	SignedIn Time     // when it was created
}

// A Time is a time in words.
type Time struct {
	Text  string // "Active 3 hours ago"
	Exact string // "3 June 2025 at 15:04 UTC"
	Now   bool   // it is now, as far as is known
	Time  time.Time
}

// Datetime returns the time as the attribute of that name has it.
func (t Time) Datetime() string { return t.Time.UTC().Format(time.RFC3339) }

// data returns a page that has a message and no sessions.
func (p *page) data(t Texts, status int, message *Message) *Data {
	return &Data{Texts: t, Status: status, Message: message, Style: "?style=" + ownStyle().version, Stylesheet: p.Stylesheet}
}

// perPage is how many sessions a page shows beside the current one.
const perPage = 100

// show adds sessions to a page: the current one, and those of the others that
// the query asks for, as page=2.
func (p *page) show(d *Data, query url.Values, sessions []revoke.Session) {
	now := time.Now()
	d.SignedIn = true
	rest := others(sessions)
	if len(rest) < len(sessions) {
		current := p.session(d.Texts, sessions[0], now)
		d.Current = &current
	}
	d.OtherCount = len(rest)
	last := max(1, (len(rest)+perPage-1)/perPage)
	number, _ := strconv.Atoi(query.Get("page")) // zero is as good as the first
	number = min(max(1, number), last)
	for _, s := range rest[(number-1)*perPage : min(number*perPage, len(rest))] {
		d.Others = append(d.Others, p.session(d.Texts, s, now))
	}
	to := func(number int) string {
		query.Set("page", strconv.Itoa(number))
		return "?" + query.Encode()
	}
	if number > 1 {
		d.Previous = to(number - 1)
	}
	if number < last {
		d.Next = to(number + 1)
	}
}

// others returns all of a list of sessions but the current one, which is first.
func others(sessions []revoke.Session) []revoke.Session {
	if len(sessions) > 0 && sessions[0].Current {
		return sessions[1:]
	}
	return sessions
}

func (p *page) session(t Texts, s revoke.Session, now time.Time) Session {
	seen, created := ago(now.Sub(s.LastSeenAt)), ago(now.Sub(s.CreatedAt))
	if s.Current || now.Sub(s.LastSeenAt) < p.active() {
		seen = Ago{}
	}
	shown := Session{
		Session:  s,
		Name:     t.name(s),
		Form:     formOf(s.UserAgent),
		Active:   Time{t.Active(seen), t.Time(s.LastSeenAt), seen == Ago{}, s.LastSeenAt},
		SignedIn: Time{t.SignedIn(created), t.Time(s.CreatedAt), created == Ago{}, s.CreatedAt},
	}
	shown.SignOut, shown.Confirm = t.SignOutOf(shown.Name), t.Confirm(shown.Name)
	if s.IP.IsValid() {
		shown.Address = s.IP.String()
	}
	if s.Token {
		shown.Details = append(shown.Details, t.App)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		if text := t.Label(name, s.Labels[name]); text != "" {
			shown.Details = append(shown.Details, shorten(text))
		}
	}
	return shown
}

// active returns how long after its last use a session counts as active now: the
// Manager does not write every use, but one a TouchInterval.
func (p *page) active() time.Duration {
	interval := p.sessions.TouchInterval
	if idle := p.sessions.SessionManager().IdleTimeout; idle > 0 {
		interval = min(interval, idle/2)
	}
	return time.Minute + interval
}

// formOf returns what a device looks like.
func formOf(userAgent string) string {
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
