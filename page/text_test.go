package page_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
)

func german(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

var germanTexts = page.Texts{
	Language:     "de",
	Title:        "Wo Sie angemeldet sind",
	Intro:        "Diese Geräte sind bei Ihrem Konto angemeldet. Erkennen Sie eines nicht, melden Sie es ab und ändern Sie Ihr Passwort.",
	Alone:        "Sie sind sonst nirgends angemeldet.",
	ThisDevice:   "Dieses Gerät",
	OtherDevices: func(n int) string { return german(n, "anderes Gerät", "andere Geräte") },
	Device:       func(s revoke.Session) string { return strings.Replace(s.Device, " on ", " unter ", 1) },
	Active: func(a page.Ago) string {
		if a.Count == 0 {
			return "Gerade aktiv"
		}
		return "Aktiv vor " + germanAgo(a)
	},
	SignedIn: func(a page.Ago) string {
		if a.Count == 0 {
			return "Gerade angemeldet"
		}
		return "Angemeldet vor " + germanAgo(a)
	},
	Time: func(t time.Time) string { return t.Format("2.1.2006, 15:04 MST") },
	Label: func(name, value string) string {
		if name == "secret" {
			return ""
		}
		return "Ort: " + value
	},
	SignOut:           "Abmelden",
	SignOutOf:         func(device string) string { return device + " abmelden" },
	Confirm:           func(device string) string { return device + " abmelden?" },
	ConfirmText:       "Wer dieses Gerät benutzt, muss sich neu anmelden. Das gilt sofort und lässt sich nicht rückgängig machen.",
	SignOutOfOthers:   "Alle anderen Geräte abmelden",
	OthersText:        "Auf diesem Gerät bleiben Sie angemeldet.",
	ConfirmOthers:     func(n int) string { return german(n, "anderes Gerät", "andere Geräte") + " abmelden?" },
	ConfirmOthersText: func(int) string { return "Das gilt sofort und lässt sich nicht rückgängig machen." },
	Cancel:            "Abbrechen",
	SignedOutOf:       func(device string) string { return device + " ist abgemeldet." },
	SignedOutOfOthers: func(n int) string { return german(n, "Gerät ist", "Geräte sind") + " abgemeldet." },
}

func germanAgo(a page.Ago) string {
	words := map[string][2]string{"minute": {"Minute", "Minuten"}, "hour": {"Stunde", "Stunden"}, "day": {"Tag", "Tagen"}, "week": {"Woche", "Wochen"}, "month": {"Monat", "Monaten"}, "year": {"Jahr", "Jahren"}}[a.Unit]
	return german(a.Count, words[0], words[1])
}

// Arabic has a form of its own for two.
var arabicTexts = page.Texts{
	Language: "ar", Direction: "rtl",
	Title:      "أماكن تسجيل دخولك",
	ThisDevice: "هذا الجهاز",
	OtherDevices: func(n int) string {
		switch n {
		case 1:
			return "جهاز آخر"
		case 2:
			return "جهازان آخران"
		}
		return fmt.Sprint(n, " أجهزة أخرى")
	},
	SignOut:     "تسجيل الخروج",
	SignOutOf:   func(device string) string { return "تسجيل الخروج من " + device },
	Confirm:     func(device string) string { return "تسجيل الخروج من " + device + "؟" },
	SignedOutOf: func(device string) string { return "تم تسجيل الخروج من " + device + "." },
}

func TestTexts(t *testing.T) {
	s := newServerWith(t, page.Options{Texts: func(r *http.Request) page.Texts {
		switch r.URL.Query().Get("lang") {
		case "de":
			return germanTexts
		case "ar":
			return arabicTexts
		}
		return page.Texts{}
	}}, func(s *server) {
		s.sessions.Describe = func(*http.Request) map[string]string { return map[string]string{"place": "Köln", "secret": "x"} }
	})
	b, other := s.signedIn(t, "ann"), s.signedInWith(t, chromeOnWindows)
	expect := func(got answer, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(got.body, text) {
				t.Errorf("no %q in\n%s", text, got.body)
			}
		}
	}
	got := b.get(pagePath + "?lang=de")
	expect(got, `<html lang="de" dir="ltr">`, "<title>Wo Sie angemeldet sind</title>", ">1 anderes Gerät<", "<bdi>Firefox unter Linux</bdi>",
		"Gerade aktiv", "Gerade angemeldet", "<bdi>Ort: Köln</bdi>", `aria-label="Chrome unter Windows abmelden"`, "Chrome unter Windows abmelden?", "1 anderes Gerät abmelden?", ">Abbrechen<")
	for _, english := range []string{"Sign", "device", "Active", "undone", ">x<", "Cancel<"} {
		if _, body, _ := strings.Cut(got.body, "<main"); strings.Contains(strings.ReplaceAll(body, "revoke-device", ""), english) {
			t.Errorf("%q in a German page", english)
		}
	}
	if german := got.body; strings.Count(german, "dir=") != 1 {
		t.Error("an empty Direction does not stand for the English one")
	}

	// In the other direction, a device is isolated from what is around it.
	got = b.get(pagePath + "?lang=ar")
	expect(got, `<html lang="ar" dir="rtl">`, ">جهاز آخر<", "تسجيل الخروج من \u2068Chrome on Windows\u2069؟", "Cancel")

	to, got := b.follow(pagePath+"?lang=ar", b.submit(pagePath+"?lang=ar", "session="+other.id()))
	if to != pagePath+"?lang=ar" || said(got) != "تم تسجيل الخروج من \u2068Chrome on Windows\u2069." {
		t.Errorf("%s: %q", to, said(got))
	}
	s.signedInWith(t, chromeOnWindows)
	s.signedInWith(t, chromeOnWindows)
	expect(b.get(pagePath+"?lang=ar"), ">جهازان آخران<")
	_, got = b.follow(pagePath+"?lang=de", b.submit(pagePath+"?lang=de", othersOK))
	if said(got) != "2 Geräte sind abgemeldet." {
		t.Errorf("%q", said(got))
	}
	expect(got, "Sie sind sonst nirgends angemeldet.")
	expect(b.get(pagePath), `<html lang="en" dir="ltr">`, "You&#39;re not signed in anywhere else.")
}
