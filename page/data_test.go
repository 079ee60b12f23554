package page_test

import (
	"fmt"
	"html"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

// TestHostile shows that what comes from outside is shown as text, on its
// own, and cannot grow without bound.
func TestHostile(t *testing.T) {
	texts := []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus='alert(1)`,
		"rtl \u202eevil\u2066\u2069", strings.Repeat("W", 512), strings.Repeat("ي", 256), "</bdi></main>", "{{.Current}}", "Signed out of\nall",
	}
	for _, text := range texts {
		s := newServerWith(t, page.Options{}, func(s *server) {
			s.sessions.Device = func(string) string { return text }
			s.sessions.Describe = func(*http.Request) map[string]string { return map[string]string{"place": text} }
		})
		b := s.signedIn(t, "ann")
		other := s.signedInWith(t, strings.Map(func(r rune) rune {
			if r < ' ' {
				return ' '
			}
			return r
		}, text))
		got := b.get(pagePath)
		if got.status != http.StatusOK || strings.Count(got.body, "<bdi>") != strings.Count(got.body, "</bdi>") || strings.Count(got.body, "</main>") != 1 {
			t.Errorf("%.20q: %d\n%s", text, got.status, got.body)
		}
		for _, never := range []string{"<script", "<img", `' autofocus onfocus='`, "\u202e", "\u2066", strings.Repeat("W", 81) + "?", "of\nall"} {
			if strings.Contains(got.body, never) {
				t.Errorf("%q on the page", never)
			}
		}
		_, got = b.follow(pagePath, b.submit(pagePath, "session="+other.id()))
		if text := said(got); !strings.HasPrefix(text, "Signed out of ") || len([]rune(text)) > 100 {
			t.Errorf("said %q", text)
		}
	}
}

func TestTemplate(t *testing.T) {
	around := template.Must(template.New("").Parse(`<html><link href="{{.Style}}"><nav>Shop</nav>{{.Content}}</html>`))
	own := template.Must(template.New("").Parse(`{{.Status}} {{.SignedIn}} {{with .Message}}{{.Text}}{{end}} {{.Current.Name}} {{range .Others}}[{{.Name}} {{.Form}} {{.ID}}]{{end}}`))
	policy := "default-src 'self'"
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.mux.Handle("/around", page.New(s.sessions, page.Options{Template: around}))
		s.mux.Handle("/own", page.New(s.sessions, page.Options{Template: own, ContentSecurityPolicy: policy}))
		s.mux.Handle("/broken", page.New(s.sessions, page.Options{Template: template.Must(template.New("").Parse(`secret {{.Nothing}}`))}))
		s.mux.Handle("/styled", page.New(s.sessions, page.Options{Stylesheet: "/own.css"}))
	})
	b, other := s.signedIn(t, "ann"), s.signedInWith(t, safariOnIPad)
	got := b.get("/around")
	if !strings.HasPrefix(got.body, `<html><link href="?style=`) || !strings.Contains(got.body, "<nav>Shop</nav>\n<main") && !strings.Contains(got.body, "<nav>Shop</nav><main") || strings.Count(got.body, "<html") != 1 {
		t.Errorf("around:\n%s", got.body)
	}
	got = b.get("/own")
	if want := "200 true  Firefox on Linux [Safari on iPad tablet " + other.id() + "]"; got.body != want || got.header.Get("Content-Security-Policy") != policy {
		t.Errorf("own: %q, want %q", got.body, want)
	}
	if got := b.get("/broken"); got.status != http.StatusInternalServerError || strings.Contains(got.body, "secret") || !strings.Contains(s.log.String(), "page template") {
		t.Errorf("broken: %d %q", got.status, got.body)
	}
	if got := b.get("/styled"); !regexp.MustCompile(`(?s)href="\?style=.*href="/own.css">`).MatchString(got.body) {
		t.Errorf("styled:\n%s", got.body)
	}
}

// TestTimes shows how times read, as they pass.
func TestTimes(t *testing.T) {
	const never = 2 * 365 * 24 * time.Hour
	type moment struct {
		after          time.Duration
		active, signed string
	}
	for _, test := range []struct {
		name        string
		touch, idle time.Duration // Manager.TouchInterval, scs.SessionManager.IdleTimeout
		moments     []moment
	}{
		{"each use is written within a minute", time.Minute, 0, []moment{
			{0, "Active now", "Signed in just now"},
			{59 * time.Second, "Active now", "Signed in just now"},
			{119 * time.Second, "Active now", "Signed in 1 minute ago"},
			{2 * time.Minute, "Active 2 minutes ago", "Signed in 2 minutes ago"},
			{time.Hour, "Active 1 hour ago", "Signed in 1 hour ago"},
			{23*time.Hour + 59*time.Minute, "Active 23 hours ago", "Signed in 23 hours ago"},
			{24 * time.Hour, "Active 1 day ago", "Signed in 1 day ago"},
			{8 * 24 * time.Hour, "Active 1 week ago", "Signed in 1 week ago"},
			{59 * 24 * time.Hour, "Active 1 month ago", "Signed in 1 month ago"},
			{400 * 24 * time.Hour, "Active 1 year ago", "Signed in 1 year ago"},
		}},
		{"within an hour", time.Hour, 0, []moment{
			{60 * time.Minute, "Active now", "Signed in 1 hour ago"},
			{61 * time.Minute, "Active 1 hour ago", "Signed in 1 hour ago"},
		}},
		{"within an hour, but an idle session ends before", time.Hour, 40 * time.Minute, []moment{
			{20 * time.Minute, "Active now", "Signed in 20 minutes ago"},
			{21 * time.Minute, "Active 21 minutes ago", "Signed in 21 minutes ago"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sm := newBubbleManager()
				sm.Lifetime, sm.IdleTimeout = never, test.idle
				m := revoke.New(sm, store.NewMemory())
				m.TouchInterval = test.touch
				m.ClientIP = func(*http.Request) netip.Addr { return netip.Addr{} }
				h := m.Track(page.New(m, page.Options{}))
				signIn(m) // at midnight UTC on 1 January 2000
				cookie := signIn(m)
				last := time.Duration(0)
				for _, moment := range test.moments {
					time.Sleep(moment.after - last)
					last = moment.after
					r := httptest.NewRequest("GET", "/", nil)
					r.AddCookie(cookie)
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					current, other, _ := strings.Cut(w.Body.String(), `id="revoke-others"`)
					if !strings.Contains(current, ">Active now<") {
						t.Errorf("after %v, the session in hand:\n%s", moment.after, current)
					}
					for _, text := range []string{moment.active, moment.signed} {
						want := fmt.Sprintf(`<time datetime="2000-01-01T00:00:00Z" title="1 January 2000 at 00:00 UTC">%s</time>`, text)
						if !strings.Contains(other, want) {
							t.Errorf("after %v: no %q in\n%s", moment.after, want, other)
						}
					}
				}
			})
		})
	}
}

// newBubbleManager is scs.New without the goroutine of its store, in a bubble.
func newBubbleManager() *scs.SessionManager {
	sm := scs.New()
	synctest.Wait()
	sm.Store.(*memstore.MemStore).StopCleanup()
	sm.Store = memstore.NewWithCleanupInterval(0)
	return sm
}

// signIn signs ann in, and returns her cookie.
func signIn(m *revoke.Manager) *http.Cookie {
	w := httptest.NewRecorder()
	m.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		m.Login(r.Context(), "ann")
	})).ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	return w.Result().Cookies()[0]
}

// TestLongList shows that a page shows a hundred sessions beside the current
// one, and leads to the rest.
func TestLongList(t *testing.T) {
	st := store.NewMemory()
	s := newServer(t, st, func(s *server) {
		s.sessions.MaxPerUser = 0
		s.mux.Handle(pagePath, page.New(s.sessions, page.Options{}))
	})
	b := s.signedIn(t, "ann")
	user, now := b.cookie[:22], time.Now()
	id := func(i int) string { return fmt.Sprintf("%022d", i) }
	for i := range 201 { // the higher the number, the longer ago
		r := store.Record{User: user, ID: id(i), SeenAt: now.Add(time.Duration(-i) * time.Minute), ExpiresAt: now.Add(time.Hour)}
		if _, err := st.Create(t.Context(), r, 0); err != nil {
			t.Fatal(err)
		}
	}
	links := regexp.MustCompile(`rel="(prev|next)" href="([^"]*)"`)
	for _, test := range []struct {
		query       string
		first, last int
		links       string
	}{
		{"", 0, 99, "next ?page=2"},
		{"?page=1", 0, 99, "next ?page=2"},
		{"?lang=de&page=2", 100, 199, "prev ?lang=de&page=1 next ?lang=de&page=3"},
		{"?page=3", 200, 200, "prev ?page=2"},
		{"?page=4", 200, 200, "prev ?page=2"},
		{"?page=99999999999999999999", 200, 200, "prev ?page=2"},
		{"?page=0", 0, 99, "next ?page=2"},
		{"?page=-1", 0, 99, "next ?page=2"},
		{"?page=x", 0, 99, "next ?page=2"},
	} {
		got := b.get(pagePath + test.query)
		shown := regexp.MustCompile(`name="session" value="([^"]*)"`).FindAllStringSubmatch(got.body, -1)
		if n := test.last - test.first + 1; len(shown) != n || shown[0][1] != id(test.first) || shown[n-1][1] != id(test.last) {
			t.Errorf("%s: %d sessions shown: %v", test.query, len(shown), shown)
		}
		var to []string
		for _, link := range links.FindAllStringSubmatch(got.body, -1) {
			to = append(to, link[1]+" "+html.UnescapeString(link[2]))
		}
		if got := strings.Join(to, " "); got != test.links {
			t.Errorf("%s leads to %q, want %q", test.query, got, test.links)
		}
		for _, text := range []string{">This device<", ">201 other devices<", ">Sign out of 201 other devices?<"} {
			if !strings.Contains(got.body, text) {
				t.Errorf("%s: no %q", test.query, text)
			}
		}
	}
	to, got := b.follow(pagePath+"?page=3", b.submit(pagePath+"?page=3", "session="+id(200)))
	if to != pagePath+"?page=3" || !strings.HasPrefix(said(got), "Signed out of ") || !strings.Contains(got.body, id(199)) {
		t.Errorf("the last of a page leads to %s: %q", to, said(got))
	}
}
