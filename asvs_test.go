package revoke_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

const standardsFile = "docs/asvs.md"

// asvs has the requirements of OWASP ASVS 5.0 that concern sessions.
var asvs = strings.Fields(`
	2.3.3 2.4.1
	3.3.1 3.3.2 3.3.3 3.3.4 3.4.1 3.5.1 3.5.2 3.5.3
	4.1.1 4.1.3 4.1.4 4.4.2 4.4.3 4.4.4
	6.3.5 6.3.7
	7.1.1 7.1.2 7.1.3 7.2.1 7.2.2 7.2.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5
	7.5.1 7.5.2 7.5.3 7.6.1 7.6.2
	8.2.2 8.3.2
	11.5.1
	14.2.1 14.2.7 14.3.1 14.3.2
	15.4.2
	16.2.1 16.2.2 16.2.5 16.3.2 16.3.3 16.3.4 16.4.1 16.5.1 16.5.2 16.5.3`)

// TestStandards shows that docs/asvs.md has each requirement once, and that the
// tests it names exist.
func TestStandards(t *testing.T) {
	text, err := os.ReadFile(standardsFile)
	if err != nil {
		t.Fatal(err)
	}
	var (
		tests   = testsOfRepository(t)
		named   = regexp.MustCompile("`(?:([\\w/]+)\\.)?((?:Test|Fuzz)\\w+)`")
		anyTest = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]`)
		ids     = make(map[string]int)
	)
	for line := range strings.Lines(string(text)) {
		matches := named.FindAllStringSubmatch(line, -1)
		for _, match := range matches {
			if !slices.Contains(tests[path.Clean(match[1])], match[2]) {
				t.Errorf("there is no test %s", match[0])
			}
		}
		if len(matches) != len(anyTest.FindAllString(line, -1)) {
			t.Errorf("a test is not named as `Test…` or `package.Test…`: %s", line)
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || strings.HasPrefix(cells[0], "---") || strings.TrimSpace(cells[0]) == "id" {
			continue
		}
		id, status := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[2])
		ids[id]++
		switch status {
		case "met", "setting":
			if len(matches) == 0 {
				t.Errorf("%s: no test shows it", id)
			}
		case "application", "not met":
		default:
			t.Errorf("%s: unknown status %q", id, status)
		}
	}
	for id, n := range ids {
		isASVS := regexp.MustCompile(`^[\d.]+$`).MatchString(id)
		if n != 1 || isASVS && !slices.Contains(asvs, id) {
			t.Errorf("%s appears %d times", id, n)
		}
	}
	for _, id := range asvs {
		if ids[id] == 0 {
			t.Errorf("%s is missing", id)
		}
	}
	for prefix, want := range map[string]int{"63B ": 18, "Session Management: ": 6, "Logging Vocabulary: ": 5, "WebSocket: ": 1} {
		n := 0
		for id := range ids {
			if strings.HasPrefix(id, prefix) {
				n++
			}
		}
		if n != want {
			t.Errorf("%d rows of %q, want %d", n, prefix, want)
		}
	}
}

// testsOfRepository returns the names of all tests by their folder.
func testsOfRepository(t *testing.T) map[string][]string {
	t.Helper()
	tests := make(map[string][]string)
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (name == "node_modules" || name == "testdata" || strings.HasPrefix(name, ".") && name != "."):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(file))
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[dir] = append(tests[dir], f.Name.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

func TestDocumentedDefaults(t *testing.T) {
	text, err := os.ReadFile(standardsFile)
	if err != nil {
		t.Fatal(err)
	}
	sm := scs.New()
	m := revoke.New(sm, store.NewMemory())
	for name, value := range map[string]any{
		"sm.Lifetime":             sm.Lifetime,
		"sm.IdleTimeout":          sm.IdleTimeout,
		"sm.Cookie.Persist":       sm.Cookie.Persist,
		"Manager.TouchInterval":   m.TouchInterval,
		"Manager.MaxPerUser":      m.MaxPerUser,
		"store.TombstoneLifetime": store.TombstoneLifetime,
		"store.MaxTombstones":     store.MaxTombstones,
	} {
		if row := fmt.Sprintf("\n| `%s` | %v |\n", name, value); !strings.Contains(string(text), row) {
			t.Errorf("%s has no row %s", standardsFile, row)
		}
	}
}

// TestTimesAreUTC shows that no time needs to be guessed at, wherever the server
// is.
func TestTimesAreUTC(t *testing.T) {
	events := make(chan revoke.Event, 1)
	s := newServer(t, store.NewMemory(), func(s *server) {
		s.sessions.OnEvent = func(e revoke.Event) { events <- e }
	})
	b := s.signedIn(t, "ann")
	if e := <-events; e.Time.Location() != time.UTC || time.Since(e.Time) > time.Minute {
		t.Errorf("an event at %v", e.Time)
	}
	var line struct{ Time string }
	if err := json.Unmarshal([]byte(s.log.String()), &line); err != nil {
		t.Fatal(err)
	}
	if at, err := time.Parse(time.RFC3339, line.Time); err != nil || time.Since(at) > time.Minute {
		t.Errorf("logged at %q: %v", line.Time, err)
	}
	var reply struct{ Sessions []map[string]any }
	json.Unmarshal([]byte(b.get(apiPath).body), &reply)
	for _, key := range []string{"created_at", "last_seen_at", "expires_at"} {
		if at, _ := reply.Sessions[0][key].(string); !strings.HasSuffix(at, "Z") {
			t.Errorf("%s is %q", key, at)
		}
	}
}

func TestCookieIsOpaque(t *testing.T) {
	const user = "annsmithexamplecom"
	cookie := newServer(t, store.NewMemory()).signedIn(t, user).cookie
	for _, part := range append(strings.Split(cookie, "."), cookie) {
		decoded, _ := base64.RawURLEncoding.DecodeString(part)
		for _, text := range []string{strings.ToLower(part), string(decoded)} {
			if strings.Contains(text, user[:8]) || strings.Contains(text, user[8:]) {
				t.Errorf("the cookie %q names %s", cookie, user)
			}
		}
	}
}

// TestProofBeginsANewLifetime shows that users who prove again who they are need
// not do so again for as long as after a sign-in.
func TestProofBeginsANewLifetime(t *testing.T) {
	inBubble(t, func(t *testing.T, s *clockedServer) {
		s.sm.Lifetime, s.sm.IdleTimeout = 12*time.Hour, 30*time.Minute
		token := s.signIn("/login")
		use := func(d time.Duration) {
			for range d / (20 * time.Minute) {
				time.Sleep(20 * time.Minute)
				if !s.opens(token) {
					t.Fatal("expired early")
				}
			}
		}
		use(11 * time.Hour)
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/", nil)
		r.AddCookie(&http.Cookie{Name: s.sm.Cookie.Name, Value: token})
		s.sessions.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if err := s.sessions.Reauthenticated(r.Context()); err != nil {
				t.Error(err)
			}
		})).ServeHTTP(w, r)
		token = w.Result().Cookies()[0].Value
		use(11*time.Hour + 40*time.Minute)
		time.Sleep(21 * time.Minute)
		if s.opens(token) {
			t.Error("the session outlives a lifetime after its last proof")
		}
	})
}
