package page_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke/page"
)

// TestShowsNothingForged shows that what the page says has happened comes
// from nobody but the page.
func TestShowsNothingForged(t *testing.T) {
	s := newServerWith(t, page.Options{})
	b := s.signedIn(t, "ann")
	for _, query := range []string{"?revoke.page.notice=%7B%22kind%22:%22ended%22%7D", "?notice=ended", "?kind=ended#ended"} {
		if got := b.get(pagePath + query); said(got) != "" || strings.Contains(got.body, "ended") {
			t.Errorf("%s: %q", query, said(got))
		}
	}
	s.mux.HandleFunc("POST /odd", func(_ http.ResponseWriter, r *http.Request) {
		s.sm.Put(r.Context(), "revoke.page.notice", r.FormValue("value"))
	})
	for _, value := range []string{"", "x", "{}", `{"kind":"else"}`} {
		b.submit("/odd", "value="+url.QueryEscape(value))
		if got := b.get(pagePath); got.status != http.StatusOK || said(got) != "" {
			t.Errorf("%q in the session: %d %q", value, got.status, said(got))
		}
	}
}

// TestNoticeSurvivesOtherRequests shows that a HEAD, a stylesheet and
// another page do not take away what the page has to say.
func TestNoticeSurvivesOtherRequests(t *testing.T) {
	s := newServerWith(t, page.Options{})
	b, other := s.signedIn(t, "ann"), s.signedInWith(t, chromeOnWindows)
	b.submit(pagePath, "session="+other.id())
	for _, request := range []struct{ method, path string }{{"HEAD", pagePath}, {"GET", pagePath + "?style=x"}, {"GET", "/me"}, {"PUT", pagePath}} {
		b.do(request.method, request.path)
	}
	if got := b.get(pagePath); said(got) != "Signed out of Chrome on Windows." {
		t.Errorf("%q", said(got))
	}
}
