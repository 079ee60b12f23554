package revoke_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// TestHostileCookies shows that a cookie that the server did not issue opens
// nothing, whatever its shape and size, and that it costs little, leaves no line
// in the log and is not sent back.
func TestHostileCookies(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		eachStore(t, func(t *testing.T, st store.Store) {
			counting := &countingStore{Store: st}
			counting.reset()
			s := newServer(t, counting, func(s *server) { s.sm.HashTokenInStore = hashed })
			ann, tablet, bob := s.signedIn(t, "ann"), s.signedIn(t, "ann"), s.signedIn(t, "bob")
			user, id, secret := ann.cookie[:22], ann.id(), ann.cookie[46:]
			big := strings.Repeat("A", 200<<10)
			token := func(user, id, secret string) string { return user + "." + id + "." + secret }
			cookies := map[string]string{
				"nothing but dots":           strings.Repeat(".", len(ann.cookie)),
				"two dots":                   "..",
				"a space":                    " ",
				"a quote":                    `"`,
				"a character less":           ann.cookie[:len(ann.cookie)-1],
				"a character more":           ann.cookie + "A",
				"a part more":                ann.cookie + "." + secret,
				"a part less":                id + "." + secret,
				"no secret":                  token(user, id, ""),
				"no user":                    token("", id, secret),
				"the secret alone":           secret,
				"the hash of the secret":     token(user, id, hashText(secret)),
				"an id for a secret":         token(user, id, id+id[:21]),
				"bob's user key":             token(bob.cookie[:22], id, secret),
				"bob's id":                   token(user, bob.id(), secret),
				"bob's secret":               token(user, id, bob.cookie[46:]),
				"the tablet's id":            token(user, tablet.id(), secret),
				"the tablet's secret":        token(user, id, tablet.cookie[46:]),
				"another user key":           token(changed(user), id, secret),
				"another id":                 token(user, changed(id), secret),
				"another secret":             token(user, id, changed(secret)),
				"a secret of the same bytes": token(user, id, sameBytes(t, secret)),
				"an id of the same bytes":    token(user, sameBytes(t, id), secret),
				"upper case":                 strings.ToUpper(ann.cookie),
				"padding":                    token(user, id, secret[:42]+"="),
				"another alphabet":           token(user, id, "+/"+secret[2:]),
				"escaped dots":               strings.ReplaceAll(ann.cookie, ".", "%2e"),
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
				"a token and 200 kB":         ann.cookie + big,
				"many, and the live one":     strings.Repeat("x; session=", 4) + ann.cookie,
				"10,000, and the live one":   strings.Repeat("x; session=", 10_000) + ann.cookie,
			}
			signedIn := s.log.String()
			h := s.sessions.Track(s.mux)
			for name, cookie := range cookies {
				for _, request := range []struct{ method, path string }{{"GET", "/me"}, {"GET", apiPath}, {"DELETE", apiPath}, {"DELETE", apiPath + "/" + id}} {
					counting.reset()
					r := httptest.NewRequest(request.method, request.path, nil)
					r.Header["Cookie"] = []string{"session=" + cookie}
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if w.Code != http.StatusUnauthorized {
						t.Errorf("%s: %s %s: %d %s", name, request.method, request.path, w.Code, w.Body)
					}
					if finds := counting.finds.Load(); finds > 1 || counting.lists.Load()+counting.revokes.Load() > 0 {
						t.Errorf("%s: %d look-ups, %d lists, %d revocations", name, finds, counting.lists.Load(), counting.revokes.Load())
					}
					sent := w.Header().Get("Set-Cookie") + w.Body.String()
					if part := cookie[:min(len(cookie), 20)]; len(part) > 9 && strings.Contains(sent, part) {
						t.Errorf("%s: sent back: %.200s", name, sent)
					}
				}
			}
			if got := s.log.String(); got != signedIn {
				t.Errorf("logged %.2000s", strings.TrimPrefix(got, signedIn))
			}
			for _, b := range []*browser{ann, tablet, bob} {
				if got := b.get("/me"); got.status != http.StatusOK {
					t.Errorf("a session is gone: %d", got.status)
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

// A recordingStore keeps a copy of every record that it is given.
type recordingStore struct {
	store.Store
	mu      sync.Mutex
	records []store.Record
}

func (s *recordingStore) note(r store.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, r)
}

func (s *recordingStore) Create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error) {
	s.note(r)
	return s.Store.Create(ctx, r, limit)
}

func (s *recordingStore) Update(ctx context.Context, r store.Record, was store.Hash) error {
	s.note(r)
	return s.Store.Update(ctx, r, was)
}

// TestCopyOfTheStoreOpensNothing shows that whoever has read all that a store
// was ever given has no token.
func TestCopyOfTheStoreOpensNothing(t *testing.T) {
	for _, hashed := range []bool{false, true} {
		recording := &recordingStore{Store: store.NewMemory()}
		s := newServer(t, recording, func(s *server) {
			s.sm.HashTokenInStore = hashed
			s.handle("POST /renew", func(w http.ResponseWriter, r *http.Request) { s.sm.RenewToken(r.Context()) })
		})
		b := s.signedIn(t, "ann")
		b.post("/renew")
		if len(recording.records) != 2 {
			t.Fatalf("%d records", len(recording.records))
		}
		for _, r := range recording.records {
			if strings.Contains(fmt.Sprintf("%+v %s %s", r, r.Client, r.Data), b.cookie[46:]) {
				t.Error("the store was given a token")
			}
			for _, secret := range []string{base64.RawURLEncoding.EncodeToString(r.Secret[:]), hex.EncodeToString(r.Secret[:])[:43], r.ID} {
				thief := &browser{t: t, s: s, cookie: r.User + "." + r.ID + "." + secret}
				if got := thief.get("/me"); got.status != http.StatusUnauthorized {
					t.Errorf("%q opens the session", thief.cookie)
				}
			}
		}
	}
}

// TestTokensAreUnique shows that what is unguessable in a token is as long as it
// is said to be, and new for each session.
func TestTokensAreUnique(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) { s.sessions.MaxPerUser = 0 })
	h := s.sessions.Track(s.mux)
	seen := make(map[string]bool)
	for range 2000 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/login?user=ann", nil))
		_, id, secret, ok := revoke.ParseToken(w.Result().Cookies()[0].Value)
		for part, bits := range map[string]int{id: 128, secret: 256} {
			b, err := base64.RawURLEncoding.DecodeString(part)
			if !ok || err != nil || len(b)*8 != bits || seen[part] {
				t.Fatalf("%q: %d bits, seen before: %v, %v", part, len(b)*8, seen[part], err)
			}
			seen[part] = true
		}
	}
}

// TestTokenOnlyInSetCookie shows that no token is in a body, nor in a header but
// the one that sets it, whatever is asked for.
func TestTokenOnlyInSetCookie(t *testing.T) {
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.sessions.Confirm = true
		s.handle("POST /reauthenticate", func(_ http.ResponseWriter, r *http.Request) { s.sessions.Reauthenticated(r.Context()) })
	})
	b, other := s.signedIn(t, "ann"), s.signedIn(t, "ann")
	secrets := []string{b.cookie[46:], other.cookie[46:]}
	for _, request := range []struct{ method, path string }{
		{"GET", "/me"}, {"GET", apiPath}, {"POST", "/reauthenticate"}, {"GET", apiPath}, {"PUT", apiPath}, {"GET", apiPath + "/" + b.id()},
		{"DELETE", apiPath}, {"DELETE", apiPath + "/" + b.cookie}, {"DELETE", apiPath + "/" + other.cookie},
		{"DELETE", apiPath + "?confirm=true"}, {"POST", "/login?user=ann"}, {"DELETE", apiPath + "/" + b.id()}, {"GET", apiPath},
	} {
		got := b.do(request.method, request.path)
		if len(b.cookie) > 46 {
			secrets = append(secrets, b.cookie[46:])
		}
		for _, cookie := range got.header["Set-Cookie"] {
			if !strings.Contains(cookie, "; HttpOnly") {
				t.Errorf("%s %s: scripts can read the cookie %s", request.method, request.path, cookie)
			}
		}
		got.header.Del("Set-Cookie")
		text := fmt.Sprint(got.header, got.body)
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s %s: a token in %s", request.method, request.path, text)
			}
		}
	}
}

// TestMethodOverride shows that no header and no parameter makes a request one
// that revokes.
func TestMethodOverride(t *testing.T) {
	s := newServer(t, store.NewMemory())
	b, other := s.signedIn(t, "ann"), s.signedIn(t, "ann")
	for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
		b.header.Set(name, "DELETE")
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "delete"} {
		for _, path := range []string{"", "/", "/" + other.id()} {
			got := b.do(method, apiPath+path+"?_method=DELETE&method=DELETE&confirm=true")
			if reads := method == "GET" || method == "HEAD"; got.status != http.StatusMethodNotAllowed && !(reads && len(path) < 2) {
				t.Errorf("%s %q: %d %s", method, path, got.status, got.body)
			}
		}
	}
	if other.get("/me").status != http.StatusOK {
		t.Error("the other session was revoked")
	}
}

// TestInjection sends what would forge headers, JSON and lines of a log, over a
// connection of its own as an attacker would: in the user agent, the user ID, a
// label, an id, a method and the query.
func TestInjection(t *testing.T) {
	const (
		overHTTP = "x\u0085level=WARN msg=forged\u2028\u202e\u009b2J\t</script><script>alert(1)</script>\",\"current\":true,\"x\":\"\xff\xfe"
		escaped  = "x%0d%0aX-Injected:%20yes%0d%0a%0d%0a%7b%22forged%22:true%7d%0alevel=WARN%20msg=forged%00%1b%5b2J"
	)
	var log bytes.Buffer
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.sessions.Logger = slog.New(naiveHandler{&log})
		s.sessions.Describe = func(r *http.Request) map[string]string {
			return map[string]string{r.FormValue("label"): r.FormValue("label"), "agent": r.UserAgent()}
		}
	})
	cookie := ""
	send := func(method, target string, header ...string) answer {
		t.Helper()
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\nUser-Agent: %s\r\nCookie: session=%s\r\n%s\r\n",
			method, target, overHTTP, cookie, strings.Join(header, ""))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body bytes.Buffer
		body.ReadFrom(resp.Body)
		expected := []string{"Allow", "Cache-Control", "Connection", "Content-Length", "Content-Type", "Date", "Set-Cookie", "Vary", "X-Content-Type-Options"}
		for name, values := range resp.Header {
			if !slices.Contains(expected, name) || strings.Contains(fmt.Sprint(values), "forged") {
				t.Errorf("%s %s: header %s: %q", method, target, name, values)
			}
		}
		for _, c := range resp.Cookies() {
			cookie = c.Value
		}
		return answer{resp.StatusCode, body.String(), resp.Header}
	}
	expect := func(got answer, status int) {
		t.Helper()
		if got.status != status {
			t.Errorf("%d %s, want %d", got.status, got.body, status)
		}
	}
	user := "ann%0d%0aX-Injected:%20yes%0alevel=WARN"
	expect(send("POST", "/login?user="+user+"&label="+escaped), http.StatusOK)
	listed := send("GET", apiPath+"?label="+escaped)
	expect(listed, http.StatusOK)
	expect(send("DELETE", apiPath+"/"+escaped), http.StatusNotFound)
	expect(send("DELETE", apiPath+"/"+escaped, "Sec-Fetch-Site: cross-site\r\n"), http.StatusForbidden)
	expect(send("FORGED", apiPath+"/"+escaped), http.StatusMethodNotAllowed)
	expect(send("POST", "/logout?label="+escaped), http.StatusOK)

	var reply struct {
		Sessions []struct {
			Current bool
			Labels  map[string]string
			Agent   string `json:"user_agent"`
			X       any
		}
	}
	if err := json.Unmarshal([]byte(listed.body), &reply); err != nil || len(reply.Sessions) != 1 {
		t.Fatalf("%v in %s", err, listed.body)
	}
	session := reply.Sessions[0]
	texts := session.Agent
	for name, value := range session.Labels {
		texts += name + value
	}
	if !session.Current || len(session.Labels) != 2 || session.X != nil {
		t.Errorf("listed %+v", session)
	}
	if strings.Contains(listed.body, "<script") {
		t.Errorf("markup in %s", listed.body)
	}
	const moves = "\r\n\t\x00\x1b\u0085\u009b\u2028\u202e"
	if strings.ContainsAny(texts, moves) {
		t.Errorf("listed %q", texts)
	}
	lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
	for i, kind := range []revoke.Kind{revoke.SignedIn, revoke.Refused, revoke.CrossOriginRefused, revoke.LoggedOut} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], "session "+string(kind)+" ") || strings.ContainsAny(lines[i], moves) {
			t.Fatalf("line %d is not of %s:\n%q", i, kind, lines)
		}
	}
	if len(lines) != 4 {
		t.Errorf("forged lines: %q", lines[4:])
	}
}

// TestTenThousandUsersAtOnce shows that under a flood of requests each user has a
// limit of their own, exact to the request, and that nobody's costs another's.
func TestTenThousandUsersAtOnce(t *testing.T) {
	const users, limit, requests, atOnce = 10_000, 2, 3, 500
	m := revoke.New(scs.New(), store.NewMemory())
	m.Limiter = revoke.NewLimiter(limit, time.Hour)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(_ http.ResponseWriter, r *http.Request) { m.Login(r.Context(), r.FormValue("user")) })
	m.Mount(mux, apiPath)
	h := m.Track(mux)

	cookies := make([]*http.Cookie, users)
	for i := range cookies {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", fmt.Sprint("/login?user=u", i), nil))
		cookies[i] = w.Result().Cookies()[0]
	}
	var allowed [users]atomic.Int32
	var wrong atomic.Int32
	var done sync.WaitGroup
	start := make(chan struct{})
	for first := range atOnce {
		done.Go(func() {
			<-start
			for range requests { // of each user, all users in turn
				for user := first; user < users; user += atOnce {
					r := httptest.NewRequest("DELETE", apiPath, nil)
					r.AddCookie(cookies[user])
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					wait, _ := strconv.Atoi(w.Header().Get("Retry-After"))
					switch {
					case w.Code == http.StatusOK:
						allowed[user].Add(1)
					case w.Code != http.StatusTooManyRequests || wait < 600 || wait > 1800:
						wrong.Add(1)
					}
				}
			}
		})
	}
	close(start)
	done.Wait()
	for user := range allowed {
		if n := allowed[user].Load(); n != limit {
			t.Fatalf("user %d had %d requests let through, want %d", user, n, limit)
		}
	}
	if n := wrong.Load(); n != 0 {
		t.Errorf("%d answers are neither a revocation nor a wait of half an hour", n)
	}
}
