package revoke_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestTwoCookies shows that of several cookies of the name the live one wins,
// wherever it stands.
func TestTwoCookies(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	withCookies := func(cookies string) *testapp.Browser {
		b := app.Browser(t)
		b.Header.Set("Cookie", cookies)
		return b
	}
	live, dead := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	token := dead.Cookie
	dead.Post("/logout")
	for _, cookies := range []string{
		"session=" + live.Cookie + "; session=" + token,
		"session=" + token + "; session=" + live.Cookie,
		"session=garbage; session=; session=" + live.Cookie,
	} {
		if got := withCookies(cookies).Send("GET", "/me"); got.Body != "ann" || got.Cookie != nil {
			t.Errorf("%s: %d %q, cookie set to %v", cookies, got.Status, got.Body, got.Cookie)
		}
	}
	visitor := app.Browser(t)
	visitor.Post("/cart?put=book")
	if got := withCookies("session="+token+"; session="+visitor.Cookie).Send("GET", "/cart"); got.Body != "book" || got.Cookie != nil {
		t.Errorf("a dead cookie beside a visitor's: %q, cookie set to %v", got.Body, got.Cookie)
	}
	many := strings.Repeat("session=garbage; ", 50) + "session=" + live.Cookie
	if got := withCookies(many).Get("/me"); got.Status != http.StatusUnauthorized {
		t.Errorf("51 cookies were all looked up: %d", got.Status)
	}
}

// TestHostileCookies shows that a cookie that the server did not issue opens
// nothing, whatever its shape and size, and that it costs little, leaves no line
// in the log and is not sent back.
func TestHostileCookies(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		testapp.EachStore(t, func(t *testing.T, st store.Store) {
			tap := testapp.NewTap(st)
			app := testapp.New(t, tap)
			app.SCS.HashTokenInStore = hashed
			ann, tablet, bob := app.SignedIn(t, "ann"), app.SignedIn(t, "ann"), app.SignedIn(t, "bob")
			user, id, secret := ann.UserKey(), ann.ID(), ann.Secret()
			big := strings.Repeat("A", 200<<10)
			token := func(user, id, secret string) string { return user + "." + id + "." + secret }
			cookies := map[string]string{
				"nothing but dots":           strings.Repeat(".", len(ann.Cookie)),
				"two dots":                   "..",
				"a space":                    " ",
				"a quote":                    `"`,
				"a character less":           ann.Cookie[:len(ann.Cookie)-1],
				"a character more":           ann.Cookie + "A",
				"a part more":                ann.Cookie + "." + secret,
				"a part less":                id + "." + secret,
				"no secret":                  token(user, id, ""),
				"no user":                    token("", id, secret),
				"the secret alone":           secret,
				"the hash of the secret":     token(user, id, hashText(secret)),
				"an id for a secret":         token(user, id, id+id[:21]),
				"bob's user key":             token(bob.UserKey(), id, secret),
				"bob's id":                   token(user, bob.ID(), secret),
				"bob's secret":               token(user, id, bob.Secret()),
				"the tablet's id":            token(user, tablet.ID(), secret),
				"the tablet's secret":        token(user, id, tablet.Secret()),
				"another user key":           token(changed(user), id, secret),
				"another id":                 token(user, changed(id), secret),
				"another secret":             token(user, id, changed(secret)),
				"a secret of the same bytes": token(user, id, sameBytes(t, secret)),
				"an id of the same bytes":    token(user, sameBytes(t, id), secret),
				"upper case":                 strings.ToUpper(ann.Cookie),
				"padding":                    token(user, id, secret[:42]+"="),
				"another alphabet":           token(user, id, "+/"+secret[2:]),
				"escaped dots":               strings.ReplaceAll(ann.Cookie, ".", "%2e"),
				"a wildcard":                 token(strings.Repeat("*", 22), strings.Repeat("?", 22), secret),
				"a key of Redis":             "revoke:" + user,
				"a hash tag of Redis":        token("{"+user[:20]+"}", id, secret),
				"a command":                  "\r\nFLUSHALL\r\n",
				"NUL":                        token(user, id, secret[:42]+"\x00"),
				"not UTF-8":                  token(user, id, secret[:42]+"\xff"),
				"not ASCII":                  token(user, id, secret[:41]+"é"),
				"JSON":                       `{"userID":"ann"}`,
				"a path":                     "../../etc/passwd",
				"200 kB":                     big,
				"200 kB in three parts":      token(big, big, big),
				"a token and 200 kB":         ann.Cookie + big,
				"many, and the live one":     strings.Repeat("x; session=", 4) + ann.Cookie,
				"10,000, and the live one":   strings.Repeat("x; session=", 10_000) + ann.Cookie,
			}
			signedIn := app.Log.String()
			for name, cookie := range cookies {
				for _, request := range []struct{ method, path string }{{"GET", "/me"}, {"GET", testapp.APIPath}, {"DELETE", testapp.APIPath}, {"DELETE", testapp.APIPath + "/" + id}} {
					tap.Forget()
					r := httptest.NewRequest(request.method, request.path, nil)
					r.Header["Cookie"] = []string{"session=" + cookie}
					w := httptest.NewRecorder()
					app.Handler.ServeHTTP(w, r)
					if w.Code != http.StatusUnauthorized {
						t.Errorf("%s: %s %s: %d %s", name, request.method, request.path, w.Code, w.Body)
					}
					if calls := tap.Calls(); len(calls) > 1 || len(calls) == 1 && calls[0].Method != "Find" {
						t.Errorf("%s: %v, want one look-up at the most", name, calls)
					}
					sent := w.Header().Get("Set-Cookie") + w.Body.String()
					if part := cookie[:min(len(cookie), 20)]; len(part) > 9 && strings.Contains(sent, part) {
						t.Errorf("%s: sent back: %.200s", name, sent)
					}
				}
			}
			if got := app.Log.String(); got != signedIn {
				t.Errorf("logged %.2000s", strings.TrimPrefix(got, signedIn))
			}
			for _, b := range []*testapp.Browser{ann, tablet, bob} {
				if got := b.Get("/me"); got.Status != http.StatusOK {
					t.Errorf("a session is gone: %d", got.Status)
				}
			}
		})
	}
}

// changed returns s with another first character.
func changed(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// sameBytes returns another text that base64 decodes to the same bytes.
func sameBytes(t *testing.T, s string) string {
	t.Helper()
	want, _ := base64.RawURLEncoding.DecodeString(s)
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		other := s[:len(s)-1] + string(last)
		if got, err := base64.RawURLEncoding.DecodeString(other); err == nil && bytes.Equal(got, want) && other != s {
			return other
		}
	}
	t.Fatalf("%q is the only text of its bytes", s)
	return ""
}

func hashText(secret string) string {
	hash := store.HashSecret(secret)
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

func TestUndecodableData(t *testing.T) {
	testapp.EachStore(t, func(t *testing.T, st store.Store) {
		app := testapp.New(t, st)
		b := app.SignedIn(t, "ann")
		r, err := st.Find(context.Background(), b.UserKey(), b.ID())
		if err != nil {
			t.Fatal(err)
		}
		r.Data = []byte("\xffneither CBOR nor gob")
		if err := st.Update(context.Background(), r, r.Secret); err != nil {
			t.Fatal(err)
		}
		if got := b.Get("/me"); got.Status != http.StatusUnauthorized || b.Cookie != "" {
			t.Errorf("%d %q, cookie %q", got.Status, got.Body, b.Cookie)
		}
		if n := app.Log.Count(revoke.Undecodable); n != 1 || bytes.Count([]byte(app.Log.String()), []byte("\n")) != 2 {
			t.Errorf("%d lines say so in:\n%s", n, app.Log)
		}
		visitor := app.Browser(t)
		visitor.Cookie = strings.Repeat("v", 43)
		app.Visitors.Commit(visitor.Cookie, []byte("neither"), time.Now().Add(time.Hour))
		if got := visitor.Get("/me"); got.Status != http.StatusUnauthorized || visitor.Cookie != "" {
			t.Errorf("visitor: %d %q, cookie %q", got.Status, got.Body, visitor.Cookie)
		}
	})
}

// TestTamperedData shows what an attacker gets who can write to the store: no
// session, and a line in the log.
func TestTamperedData(t *testing.T) {
	memory := store.NewMemory()
	app := testapp.New(t, testapp.Encrypted(t, memory))
	b, other := app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	for name, tamper := range map[string]func(r, other store.Record) store.Record{
		"swapped":  func(r, other store.Record) store.Record { r.Data = other.Data; return r },
		"plain":    func(r, _ store.Record) store.Record { r.Data = []byte("{}"); return r },
		"cut":      func(r, _ store.Record) store.Record { r.Data = r.Data[:20]; return r },
		"exchange": func(r, _ store.Record) store.Record { r.Data, r.Client = r.Client, r.Data; return r },
	} {
		t.Run(name, func(t *testing.T) {
			before := app.Log.Count(revoke.Undecodable)
			b := app.SignedIn(t, "ann")
			find := func(b *testapp.Browser) store.Record {
				r, err := memory.Find(t.Context(), b.UserKey(), b.ID())
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			r := tamper(find(b), find(other))
			if err := memory.Update(t.Context(), r, r.Secret); err != nil {
				t.Fatal(err)
			}
			id := b.ID()
			if got := b.Get("/me"); got.Status != http.StatusUnauthorized || b.Cookie != "" {
				t.Errorf("%d %q, cookie %q", got.Status, got.Body, b.Cookie)
			}
			if got := app.Log.Count(revoke.Undecodable) - before; got != 1 {
				t.Errorf("%d lines say so", got)
			}
			if got := other.Delete(testapp.APIPath + "/" + id); got.Status != http.StatusOK {
				t.Errorf("a tampered session cannot be revoked: %d", got.Status)
			}
		})
	}
	if got := b.Get("/me"); got.Body != "ann" {
		t.Errorf("another session: %d %q", got.Status, got.Body)
	}
}
