package page_test

import (
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

// The page on a server of its own, with a stylesheet of the site.
func ExampleNew() {
	sessions := revoke.New(scs.New(), store.NewMemory())
	mux := http.NewServeMux()
	mux.Handle("/account/sessions", page.New(sessions, page.Options{
		LoginURL:   "/login?next=/account/sessions",
		Stylesheet: "/site.css",
	}))
	handler := sessions.Track(mux) // for http.ListenAndServe

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/account/sessions", nil))
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output: 303 /login?next=/account/sessions
}

var berlin = time.FixedZone("CET", 3600)

var deutsch = page.Texts{
	Language:   "de",
	Title:      "Wo du angemeldet bist",
	ThisDevice: "Dieses Gerät",
	SignOut:    "Abmelden",
	OtherDevices: func(n int) string {
		if n == 1 {
			return "1 weiteres Gerät"
		}
		return fmt.Sprintf("%d weitere Geräte", n)
	},
	Time: func(t time.Time) string { return t.In(berlin).Format("2.1.2006, 15:04") + " Uhr" },
}

// The page in the language that the browser asks for.
func ExampleTexts() {
	sessions := revoke.New(scs.New(), store.NewMemory())
	h := page.New(sessions, page.Options{
		Texts: func(r *http.Request) page.Texts {
			if strings.HasPrefix(r.Header.Get("Accept-Language"), "de") {
				return deutsch
			}
			return page.Texts{} // English
		},
	})

	r := httptest.NewRequest("GET", "/account/sessions", nil)
	r.Header.Set("Accept-Language", "de-AT, de;q=0.9")
	w := httptest.NewRecorder()
	sessions.Track(h).ServeHTTP(w, r)
	fmt.Println(strings.Contains(w.Body.String(), `<html lang="de"`), strings.Contains(w.Body.String(), deutsch.Title))
	// Output: true true
}

var layout = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="{{.Texts.Language}}" dir="{{.Texts.Direction}}">
<title>{{.Texts.Title}} – Example</title>
<link rel="stylesheet" href="{{.Style}}">
<link rel="stylesheet" href="/site.css">
<nav><a href="/">Example</a> <a href="/account">Your account</a></nav>
{{.Content}}
</html>`))

// The page inside the site's own layout.
func ExampleData() {
	sessions := revoke.New(scs.New(), store.NewMemory())
	h := page.New(sessions, page.Options{Template: layout})

	w := httptest.NewRecorder()
	sessions.Track(h).ServeHTTP(w, httptest.NewRequest("GET", "/account/sessions", nil))
	fmt.Println(strings.Contains(w.Body.String(), "<nav>"), strings.Contains(w.Body.String(), "<main class=\"revoke-page\">"))
	// Output: true true
}
