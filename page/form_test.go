package page_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

func TestRevokes(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) { s.mux.Handle(pagePath, page.New(s.sessions, page.Options{})) })
		b, other, third := s.signedIn(t, "ann"), s.signedInWith(t, chromeOnWindows), s.signedInWith(t, safariOnIPad)
		id := other.id()
		posted := b.submit(pagePath, "session="+id)
		checkPageHeaders(t, posted)
		if other.get("/me").status != http.StatusUnauthorized || third.get("/me").status != http.StatusOK {
			t.Fatal("not the session that was asked for has ended")
		}
		if n := s.log.count(revoke.Revoked); n != 1 {
			t.Errorf("%d events", n)
		}
		to, got := b.follow(pagePath, posted)
		if to != pagePath || said(got) != "Signed out of Chrome on Windows." || strings.Contains(got.body, id) {
			t.Errorf("at %s: %q", to, said(got))
		}
		if got := b.get(pagePath); said(got) != "" {
			t.Errorf("shown again: %q", said(got))
		}
		if _, got := b.follow(pagePath, b.submit(pagePath, "session="+id)); said(got) != "That session had already ended." {
			t.Errorf("twice: %q", said(got))
		}
	})
}

func TestRevokesOthers(t *testing.T) {
	eachStore(t, func(t *testing.T, st store.Store) {
		s := newServer(t, st, func(s *server) {
			s.mux.Handle(pagePath, page.New(s.sessions, page.Options{}))
			s.sessions.Confirm = true
		})
		b, other := s.signedIn(t, "ann"), s.signedInWith(t, chromeOnWindows)
		s.signedInWith(t, safariOnIPad)
		got := b.submit(pagePath, others)
		if got.status != http.StatusPreconditionRequired || !strings.Contains(said(got), "2 other devices") || other.get("/me").status != http.StatusOK {
			t.Fatalf("without being confirmed: %d %q", got.status, said(got))
		}
		if got := b.submit(pagePath+"?"+othersOK, ""); other.get("/me").status != http.StatusOK {
			t.Fatalf("by a URL: %d %q", got.status, said(got))
		}
		b.get(pagePath)
		_, got = b.follow(pagePath, b.submit(pagePath, othersOK))
		if said(got) != "Signed out of 2 other devices." || other.get("/me").status != http.StatusUnauthorized || s.log.count(revoke.RevokedOthers) != 1 {
			t.Errorf("%q", said(got))
		}
		if !strings.Contains(got.body, "You&#39;re not signed in anywhere else.") || strings.Contains(got.body, "<form") {
			t.Errorf("with a single session left:\n%s", got.body)
		}
		if _, got := b.follow(pagePath, b.submit(pagePath, othersOK)); said(got) != "There was no other device to sign out of." {
			t.Errorf("with none left: %q", said(got))
		}
	})
}

func TestOwnSession(t *testing.T) {
	for login, want := range map[string]string{"": pagePath, "/login?next=x": "/login?next=x", "https://id.example/login": "https://id.example/login"} {
		s := newServerWith(t, page.Options{LoginURL: login})
		b, other := s.signedIn(t, "ann"), s.signedIn(t, "ann")
		id := b.id()
		got := b.submit(pagePath, "session="+id)
		base, _ := url.Parse(pagePath)
		to, _ := base.Parse(got.header.Get("Location"))
		if got.status != http.StatusSeeOther || to.String() != want || b.cookie != "" || other.get("/me").status != http.StatusOK {
			t.Errorf("login %q: %d to %q, cookie %q", login, got.status, to, b.cookie)
		}
	}
}

// TestIsOneUsers shows that a form cannot reach a stranger's session, and
// says of it what it says of any unknown one.
func TestIsOneUsers(t *testing.T) {
	s := newServerWith(t, page.Options{})
	b, other, stranger := s.signedIn(t, "ann"), s.signedIn(t, "ann"), s.signedIn(t, "bob")
	for _, form := range []string{"session=" + stranger.id(), "session=unknown", "session=", "session=" + strings.Repeat("x", 4000)} {
		if _, got := b.follow(pagePath, b.submit(pagePath, form)); said(got) != "That session had already ended." {
			t.Errorf("%.40s: %q", form, said(got))
		}
	}
	if stranger.get("/me").status != http.StatusOK || other.get("/me").status != http.StatusOK {
		t.Error("somebody was signed out")
	}
}

// TestUnreadableForm shows that nothing ends, and that the page does not say so,
// if it cannot tell what it was asked for.
func TestUnreadableForm(t *testing.T) {
	s := newServerWith(t, page.Options{})
	b, other := s.signedIn(t, "ann"), s.signedInWith(t, chromeOnWindows)
	long := strings.Repeat("x", 10_000) // longer than a form of the page can be
	for _, test := range []struct {
		name, contentType, form string
		status                  int
	}{
		{"nothing", "", "", http.StatusBadRequest},
		{"no field of the page's", "", "other=" + other.id(), http.StatusBadRequest},
		{"bad escapes", "", "%zz", http.StatusBadRequest},
		{"bad escapes in an id", "", "session=%zz", http.StatusBadRequest},
		{"JSON", "application/json", `{"session":"` + other.id() + `"}`, http.StatusBadRequest},
		{"no boundary", "multipart/form-data", "session=" + other.id(), http.StatusBadRequest},
		{"half of one", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"session\"\r\n\r\n" + other.id(), http.StatusBadRequest},
		{"too long", "", "other=" + long + "&session=" + other.id(), http.StatusRequestEntityTooLarge},
		{"too long after the id", "", "session=" + other.id() + "&other=" + long, http.StatusRequestEntityTooLarge},
		{"too long an id", "", "session=" + long, http.StatusRequestEntityTooLarge},
	} {
		b.header.Set("Content-Type", test.contentType)
		got := b.submit(pagePath, test.form)
		if got.status != test.status || said(got) != "The form could not be read. Nothing was ended." {
			t.Errorf("%s: %d %q", test.name, got.status, said(got))
		}
		checkPageHeaders(t, got)
		if !strings.Contains(got.body, "<bdi>Chrome on Windows</bdi>") {
			t.Errorf("%s: the sessions are not shown", test.name)
		}
	}
	b.header.Del("Content-Type")
	if other.get("/me").status != http.StatusOK {
		t.Error("somebody was signed out")
	}
}

// TestForeignForms shows that forms of an application's own template work in
// either encoding, and whatever the URL of the page says.
func TestForeignForms(t *testing.T) {
	s := newServerWith(t, page.Options{})
	b, other := s.signedIn(t, "ann"), s.signedInWith(t, chromeOnWindows)
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	parts.WriteField("session", other.id())
	parts.Close()
	b.header.Set("Content-Type", parts.FormDataContentType())
	got := b.submit(pagePath, form.String())
	b.header.Del("Content-Type")
	if _, got := b.follow(pagePath, got); said(got) != "Signed out of Chrome on Windows." {
		t.Errorf("in parts: %q", said(got))
	}
	other = s.signedInWith(t, chromeOnWindows)
	if _, got := b.follow(pagePath, b.submit(pagePath+"?utm=a;b", url.Values{"session": {other.id()}}.Encode())); said(got) != "Signed out of Chrome on Windows." {
		t.Errorf("with a query that cannot be read: %q", said(got))
	}
}
