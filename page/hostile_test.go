package page_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

// FuzzForm shows that whatever is sent to the page, it is answered in a page or by a
// redirect to itself; that a session ends only if the form names it; and that nothing
// that was sent is markup.
func FuzzForm(f *testing.F) {
	const urlencoded = "application/x-www-form-urlencoded"
	f.Add("", urlencoded, "session=AbCdEfGhIjKlMnOpQrStUv", firefoxOnLinux, "en")
	f.Add("style", urlencoded, "session=%00&others=false", "<b>Chrome</b> \"x\" 'y' &amp; {{.}}", "de-DE,de;q=0.9")
	f.Add("page=-1&page=x", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"session\"\r\n\r\nx\r\n--x--", "\"><script>", "\"><script>")
	f.Add("page=99999999999999999999;a", "multipart/form-data", "--", "\x00\xff\u202e", strings.Repeat("x", 3000))
	f.Add("%zz", "application/json", strings.Repeat("session=x&", 1000), strings.Repeat("(", 600), "")
	sessions := revoke.New(scs.New(), store.NewMemory())
	sessions.Limiter = nil
	signIn := sessions.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := sessions.Login(r.Context(), "ann"); err != nil {
			f.Error(err)
		}
	}))
	h := sessions.Track(page.New(sessions, page.Options{Texts: func(r *http.Request) page.Texts {
		return page.Texts{Language: r.Header.Get("Accept-Language")}
	}}))
	ask := func(h http.Handler, method, query, contentType, form, userAgent, language string, cookies ...*http.Cookie) *http.Response {
		r, w := httptest.NewRequest(method, pagePath, strings.NewReader(form)), httptest.NewRecorder()
		r.URL.RawQuery = query
		for name, value := range map[string]string{"Content-Type": contentType, "User-Agent": userAgent, "Accept-Language": language} {
			r.Header.Set(name, value)
		}
		for _, c := range cookies {
			r.AddCookie(c)
		}
		h.ServeHTTP(w, r)
		return w.Result()
	}
	f.Fuzz(func(t *testing.T, query, contentType, form, userAgent, language string) {
		if _, err := sessions.RevokeAll(t.Context(), "ann"); err != nil {
			t.Fatal(err)
		}
		cookie := ask(signIn, "POST", "", "", "", userAgent, "").Cookies()[0]
		ask(signIn, "POST", "", "", "", userAgent, "") // another device of that name
		got := ask(h, "POST", query, contentType, form, userAgent, language, cookie)
		switch got.StatusCode {
		case http.StatusSeeOther:
			if to := got.Header.Get("Location"); !strings.HasPrefix(to, "./") {
				t.Errorf("sent to %q", to)
			}
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		default:
			t.Errorf("%d", got.StatusCode)
		}
		live, err := sessions.List(t.Context(), "ann")
		if err != nil || len(live) != 2 && !strings.Contains(form, "others") {
			t.Errorf("%d sessions are left, %v", len(live), err)
		}
		if values, err := url.ParseQuery(query); err == nil && values.Has("style") {
			return // the stylesheet
		}
		var body strings.Builder
		if err := ask(h, "GET", query, "", "", userAgent, language, cookie).Write(&body); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{query, form, userAgent, language} {
			if strings.ContainsAny(text, "<>\"") && len(text) > 3 && strings.Contains(body.String(), text) {
				t.Errorf("%q is markup", text)
			}
		}
	})
}
