package page

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/cleantext"
)

// Texts are the texts of the page in one language. If a field is empty or nil,
// the page uses the English text. The comments show that, for "Chrome on Windows",
// three sessions or three hours.
//
// A function gets a device's name ready to stand in a sentence: if the name could
// disturb the direction of writing around it, Unicode controls isolate it.
type Texts struct {
	Language  string // of these texts: "en" (BCP 47)
	Direction string // of writing: "ltr", or "rtl"

	Title        string                          // "Where you're signed in"
	Intro        string                          // "These devices are signed in to your account. If you don't …"
	Alone        string                          // "You're not signed in anywhere else."
	ThisDevice   string                          // "This device"
	OtherDevices func(n int) string              // "3 other devices"
	Device       func(revoke.Session) string     // "Chrome on Windows": Session.Device
	Active       func(Ago) string                // "Active now", "Active 3 hours ago"
	SignedIn     func(Ago) string                // "Signed in just now", "Signed in 3 hours ago"
	Time         func(time.Time) string          // "3 June 2025 at 15:04 UTC"; the time is in UTC
	Label        func(name, value string) string // of Manager.Describe: the value; empty if it is not to be shown
	App          string                          // "App": the session has a token of Manager.Issue and is no browser's

	SignOut           string                     // "Sign out"
	SignOutOf         func(device string) string // "Sign out of Chrome on Windows"
	Confirm           func(device string) string // "Sign out of Chrome on Windows?"
	ConfirmText       string                     // "Whoever uses that device will have to sign in …"
	SignOutOfOthers   string                     // "Sign out of all other devices"
	OthersText        string                     // "You stay signed in on this device."
	ConfirmOthers     func(n int) string         // "Sign out of 3 other devices?"
	ConfirmOthersText func(n int) string         // "You stay signed in on this device only. …"
	Cancel            string                     // "Cancel"
	Previous          string                     // "Previous page"
	Next              string                     // "Next page"

	SignedOutOf       func(device string) string // "Signed out of Chrome on Windows."
	SignedOutOfOthers func(n int) string         // "Signed out of 3 other devices."; n may be 0
	AlreadyEnded      string                     // "That session had already ended."

	NotSignedIn        string                                             // "You're not signed in. …"
	Revoked            func(when string, why *revoke.RevokedError) string // "This device was signed out on 3 June 2025 at 15:04 UTC, …"
	RateLimited        func(wait time.Duration) string                    // "That was a lot of requests. Try again in 20 minutes."
	Reauthenticate     string                                             // "First confirm that it's you. …"
	ReauthenticateLink string                                             // "Confirm that it's you"
	Refused            string                                             // "You are not allowed to sign out of that. …"
	Unconfirmed        func(n int) string                                 // "Nothing was signed out yet. …"
	CrossOrigin        string                                             // "This request came from another site, …"
	Unavailable        string                                             // "Your devices can't be shown at the moment. …"
	Uncertain          string                                             // "It isn't certain that anything was signed out. …"
	NotReplicated      string                                             // "Signed out, but not yet saved everywhere. …"
	Unreadable         string                                             // "The form could not be read. Nothing was ended."
	Method             string                                             // "This page can't be used that way."
	TryAgain           string                                             // "Try again"
	Back               string                                             // "Back to your devices"
}

// An Ago says how long ago something was, rounded down: Count Units. The zero
// value means now.
type Ago struct {
	Count int
	Unit  string // "minute", "hour", "day", "week", "month" or "year"
}

func ago(d time.Duration) Ago {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name string
		d    time.Duration
	}{{"year", 365 * day}, {"month", 30 * day}, {"week", 7 * day}, {"day", day}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if d >= unit.d {
			return Ago{int(d / unit.d), unit.name}
		}
	}
	return Ago{}
}

var english = Texts{
	Language:  "en",
	Direction: "ltr",

	Title:        "Where you're signed in",
	Intro:        "These devices are signed in to your account. If you don't recognize one, sign out of it and change your password.",
	Alone:        "You're not signed in anywhere else.",
	ThisDevice:   "This device",
	OtherDevices: func(n int) string { return plural(n, "other device") },
	Device:       func(s revoke.Session) string { return s.Device },
	Active:       func(a Ago) string { return "Active " + a.english("now") },
	SignedIn:     func(a Ago) string { return "Signed in " + a.english("just now") },
	Time:         func(t time.Time) string { return t.Format("2 January 2006 at 15:04 MST") },
	Label:        func(_, value string) string { return value },
	App:          "App",

	SignOut:         "Sign out",
	SignOutOf:       func(device string) string { return "Sign out of " + device },
	Confirm:         func(device string) string { return "Sign out of " + device + "?" },
	ConfirmText:     "Whoever uses that device will have to sign in again. This takes effect at once and cannot be undone.",
	SignOutOfOthers: "Sign out of all other devices",
	OthersText:      "You stay signed in on this device.",
	ConfirmOthers:   func(n int) string { return "Sign out of " + plural(n, "other device") + "?" },
	ConfirmOthersText: func(n int) string {
		return "You stay signed in on this device only. This takes effect at once and cannot be undone."
	},
	Cancel:   "Cancel",
	Previous: "Previous page",
	Next:     "Next page",

	SignedOutOf: func(device string) string { return "Signed out of " + device + "." },
	SignedOutOfOthers: func(n int) string {
		if n == 0 {
			return "There was no other device to sign out of."
		}
		return "Signed out of " + plural(n, "other device") + "."
	},
	AlreadyEnded: "That session had already ended.",

	NotSignedIn: "You're not signed in. Sign in, then come back to this page.",
	Revoked: func(when string, why *revoke.RevokedError) string {
		s := "This device was signed out on " + when
		switch {
		case why.Reason == revoke.ReasonLoggedOut:
			s = "You signed out of this device on " + when
		case why.Reason == revoke.ReasonRevoked && why.By != "":
			s += ", from another of your devices"
		case why.Reason == revoke.ReasonRevokedOthers:
			s += ", when another of your devices signed out of all others"
		case why.Reason == revoke.ReasonRevokedAll:
			s += ", when all your devices were signed out"
		case why.Reason == revoke.ReasonEvicted:
			s += ", because you signed in on too many others"
		}
		return s + ". Sign in again to go on."
	},
	RateLimited: func(wait time.Duration) string {
		unit, n := "second", int(wait/time.Second)
		if wait > 90*time.Second {
			unit, n = "minute", int((wait+time.Minute-1)/time.Minute)
		}
		return "That was a lot of requests, and nothing was signed out this time. Try again in " + plural(n, unit) + "."
	},
	Reauthenticate:     "To sign out of other devices, first confirm that it's you by signing in again. Nothing was signed out yet.",
	ReauthenticateLink: "Confirm that it's you",
	Refused:            "You are not allowed to sign out of that. Nothing was signed out.",
	Unconfirmed: func(n int) string {
		return "This would sign out of " + plural(n, "other device") + ", and was not confirmed. Nothing was signed out yet."
	},
	CrossOrigin:   "This request came from another site, so nothing was signed out. If it was you, do it from this page.",
	Unavailable:   "Your devices can't be shown at the moment. Nothing about them has changed.",
	Uncertain:     "Your devices can't be reached at the moment, so it isn't certain that anything was signed out. It is safe to try again.",
	NotReplicated: "Signed out, but not yet saved everywhere. If a server fails now, a device may be signed in again. Look at your devices in a moment.",
	Unreadable:    "The form could not be read. Nothing was ended.",
	Method:        "This page can't be used that way.",
	TryAgain:      "Try again",
	Back:          "Back to your devices",
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (a Ago) english(now string) string {
	if a.Count == 0 {
		return now
	}
	return plural(a.Count, a.Unit) + " ago"
}

// orEnglish returns t with English texts in the place of empty ones.
func (t Texts) orEnglish() Texts {
	v, e := reflect.ValueOf(&t).Elem(), reflect.ValueOf(english)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			v.Field(i).Set(e.Field(i))
		}
	}
	return t
}

const (
	maxText  = 512 // bytes of one text from outside
	maxShown = 80  // characters of it
)

func clean(s string) string { return cleantext.Clean(s, maxText) }

// name returns the name of a session's device, ready to stand in a sentence,
// however long it is and whatever its direction of writing.
func (t Texts) name(s revoke.Session) string {
	name := shorten(t.Device(s))
	isASCII := strings.IndexFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
	if isASCII && t.Direction != "rtl" {
		return name
	}
	return "\u2068" + name + "\u2069" // first strong isolate … pop directional isolate
}

func shorten(s string) string {
	s = strings.TrimSpace(clean(s))
	if utf8.RuneCountInString(s) > maxShown {
		s = string([]rune(s)[:maxShown-1]) + "…"
	}
	return s
}
