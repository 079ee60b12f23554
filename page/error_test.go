package page_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store"
)

func TestWithoutSession(t *testing.T) {
	s := newServerWith(t, page.Options{})
	got := s.browser(t, firefoxOnLinux).get(pagePath)
	checkPageHeaders(t, got)
	if got.status != http.StatusUnauthorized || said(got) != "You're not signed in. Sign in, then come back to this page." || strings.Contains(got.body, "<form") {
		t.Errorf("%d %q", got.status, said(got))
	}
	acting := s.signedIn(t, "ann")
	today := time.Now().UTC().Format("2 January 2006 at ")
	for form, want := range map[string]string{"session=": ", from another of your devices. ", othersOK: ", when another of your devices signed out of all others. "} {
		for _, method := range []string{"GET", "POST"} {
			revoked := s.signedIn(t, "ann")
			if form == "session=" {
				acting.submit(pagePath, form+revoked.id())
			} else {
				acting.submit(pagePath, form)
			}
			got := revoked.do(method, pagePath)
			if text := said(got); got.status != http.StatusUnauthorized || !strings.HasPrefix(text, "This device was signed out on "+today) || !strings.Contains(text, want) {
				t.Errorf("%s after %s: %d %q", method, form, got.status, text)
			}
		}
	}
}

// A failingStore fails when it is told to.
type failingStore struct {
	store.Store
	list, revoke error
}

func (f *failingStore) List(ctx context.Context, user string) ([]store.Record, error) {
	if f.list != nil {
		return nil, f.list
	}
	return f.Store.List(ctx, user)
}

func (f *failingStore) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	if f.revoke != nil {
		return store.Record{}, f.revoke
	}
	return f.Store.Revoke(ctx, user, id, why)
}

func refuse(err error) func(context.Context, revoke.Action) error {
	return func(context.Context, revoke.Action) error { return err }
}

func TestErrors(t *testing.T) {
	down := errors.New("dial redis://secret@10.0.0.1")
	for _, test := range []struct {
		name    string
		options page.Options
		prepare func(*server, *failingStore, *browser)
		method  string
		status  int
		header  string // name=value
		listed  bool   // the sessions are shown below the message
		text    string
		link    string
	}{
		{
			name: "over the limit",
			prepare: func(s *server, _ *failingStore, b *browser) {
				s.sessions.Limiter = revoke.NewLimiter(1, time.Hour)
				b.submit(pagePath, "session=unknown")
			},
			status: http.StatusTooManyRequests, header: "Retry-After=3600", listed: true, text: "Try again in 60 minutes.",
		}, {
			name:    "step-up",
			options: page.Options{ReauthenticateURL: "/prove?next=/account/sessions"},
			prepare: func(s *server, _ *failingStore, _ *browser) { s.sessions.Authorize = revoke.RecentLogin(-1) },
			status:  http.StatusForbidden, listed: true, text: "first confirm that it's you", link: `href="/prove?next=/account/sessions">Confirm that it&#39;s you</a>`,
		}, {
			name:    "step-up without a place for it",
			prepare: func(s *server, _ *failingStore, _ *browser) { s.sessions.Authorize = revoke.RecentLogin(-1) },
			status:  http.StatusForbidden, listed: true, text: "first confirm that it's you",
		}, {
			name:    "refused",
			options: page.Options{ReauthenticateURL: "/prove"},
			prepare: func(s *server, _ *failingStore, _ *browser) { s.sessions.Authorize = refuse(errors.New("secret")) },
			status:  http.StatusForbidden, listed: true, text: "You are not allowed to sign out of that. Nothing was signed out.",
		}, {
			name:    "refused with an error that means something else here",
			prepare: func(s *server, _ *failingStore, _ *browser) { s.sessions.Authorize = refuse(revoke.ErrNotFound) },
			status:  http.StatusForbidden, listed: true, text: "You are not allowed to sign out of that. Nothing was signed out.",
		}, {
			name:    "refused as if there were no session",
			options: page.Options{LoginURL: "/login"},
			prepare: func(s *server, _ *failingStore, _ *browser) { s.sessions.Authorize = refuse(revoke.ErrUnauthenticated) },
			status:  http.StatusForbidden, listed: true, text: "You are not allowed to sign out of that. Nothing was signed out.",
		}, {
			name:    "from another site",
			prepare: func(_ *server, _ *failingStore, b *browser) { b.header.Set("Sec-Fetch-Site", "cross-site") },
			status:  http.StatusForbidden, text: "came from another site", link: `href="./sessions">Back to your devices</a>`,
		}, {
			name:    "store down for all but the session itself",
			prepare: func(_ *server, st *failingStore, _ *browser) { st.list = down },
			status:  http.StatusServiceUnavailable, text: "It is safe to try again. ", link: `href="./sessions">Try again</a>`,
		}, {
			name: "store down for the list", method: "GET",
			prepare: func(_ *server, st *failingStore, _ *browser) { st.list = down },
			status:  http.StatusServiceUnavailable, text: "can't be shown at the moment. ", link: `href="./sessions">Try again</a>`,
		}, {
			name:    "store down for revocations",
			prepare: func(_ *server, st *failingStore, _ *browser) { st.revoke = down },
			status:  http.StatusServiceUnavailable, text: "It is safe to try again. ", link: `href="./sessions">Try again</a>`,
		}, {
			name:    "not replicated",
			prepare: func(_ *server, st *failingStore, _ *browser) { st.revoke = store.ErrNotReplicated },
			status:  http.StatusServiceUnavailable, text: "Signed out, but not yet saved everywhere.", link: `href="./sessions">Back to your devices</a>`,
		}, {
			name: "method", method: "DELETE", prepare: func(*server, *failingStore, *browser) {},
			status: http.StatusMethodNotAllowed, header: "Allow=GET, HEAD, POST", text: "can't be used that way", link: `href="./sessions">Back to your devices</a>`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			st := &failingStore{Store: store.NewMemory()}
			s := newServer(t, st, func(s *server) { s.mux.Handle(pagePath, page.New(s.sessions, test.options)) })
			b, other := s.signedIn(t, "ann"), s.signedInWith(t, chromeOnWindows)
			test.prepare(s, st, b)
			var got answer
			if test.method != "" {
				got = b.do(test.method, pagePath)
			} else {
				got = b.submit(pagePath, "session="+other.id())
			}
			if text := said(got); got.status != test.status || !strings.Contains(text, test.text) {
				t.Fatalf("%d %q", got.status, text)
			}
			checkPageHeaders(t, got)
			if !strings.Contains(got.body, `role="alert"`) {
				t.Error("not an alert")
			}
			if listed := strings.Contains(got.body, "<bdi>Chrome on Windows</bdi>"); listed != test.listed {
				t.Errorf("sessions shown: %v", listed)
			}
			if name, value, _ := strings.Cut(test.header, "="); name != "" && got.header.Get(name) != value {
				t.Errorf("%s: %q, want %q", name, got.header.Get(name), value)
			}
			if test.link == "" && strings.Contains(got.body, "revoke-link") || !strings.Contains(got.body, test.link) {
				t.Errorf("link:\n%s", got.body)
			}
			if strings.Contains(got.body, "secret") || strings.Contains(got.body, "10.0.0.1") {
				t.Error("the page tells what the server knows")
			}
			if st.list = nil; other.get("/me").status != http.StatusOK {
				t.Error("revoked all the same")
			}
		})
	}
}

// TestLimitedStranger shows that who is not signed in and over the limit is told
// so, and is shown no list.
func TestLimitedStranger(t *testing.T) {
	s := newServerWith(t, page.Options{}, func(s *server) { s.sessions.Limiter = revoke.NewLimiter(1, time.Hour) })
	b := s.browser(t, firefoxOnLinux)
	b.submit(pagePath, "session=unknown")
	got := b.submit(pagePath, "session=unknown")
	if got.status != http.StatusTooManyRequests || !strings.Contains(said(got), "Try again in 60 minutes.") || strings.Contains(got.body, "not signed in anywhere else") {
		t.Errorf("%d\n%s", got.status, got.body)
	}
}

// TestOutsideTrack shows that a page that is not under Track shows nothing, and
// that the log names the mistake.
func TestOutsideTrack(t *testing.T) {
	log := new(logBuffer)
	m := revoke.New(scs.New(), store.NewMemory())
	m.Logger = slog.New(slog.NewJSONHandler(log, nil))
	for _, method := range []string{"GET", "POST"} {
		w := httptest.NewRecorder()
		page.New(m, page.Options{LoginURL: "/login"}).ServeHTTP(w, httptest.NewRequest(method, "/", nil))
		got := answer{w.Code, w.Body.String(), w.Header()}
		checkPageHeaders(t, got)
		if got.status != http.StatusInternalServerError || !strings.Contains(said(got), "Nothing about them has changed.") {
			t.Errorf("%s: %d %q", method, got.status, said(got))
		}
	}
	if n := strings.Count(log.String(), "outside of Track"); n != 2 {
		t.Errorf("named %d times in the log, want once a request: %s", n, log)
	}
}
