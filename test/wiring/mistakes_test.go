package wiring

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestMistakesExplainThemselves wires programs wrongly. Each is answered with 500
// misconfigured, one line in the log names the mistake, and nobody is signed in all
// the same.
func TestMistakesExplainThemselves(t *testing.T) {
	for name, c := range answered {
		t.Run(name, func(t *testing.T) {
			app := testapp.Over(scs.New(), store.NewMemory())
			b := app.Browser(t)
			c.wire(app, b)
			sessions, logged := len(app.List(t, "ann")), len(app.Log.String())
			method, path, _ := strings.Cut(c.request, " ")
			got := b.Do(method, path)
			if got.Status != http.StatusInternalServerError || !strings.Contains(got.Body, `"code":"misconfigured"`) {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			if got.Cookie != nil {
				t.Error("a cookie is set")
			}
			waitFor(t, func() bool { return strings.Contains(app.Log.String()[logged:], "misconfigured") })
			if log := app.Log.String()[logged:]; strings.Count(log, "\n") != 1 || !says(log, c.mistake) {
				t.Errorf("the log does not say %q in one line:\n%s", c.mistake, log)
			}
			if n := len(app.List(t, "ann")); n != sessions {
				t.Errorf("%d sessions, want %d", n, sessions)
			}
		})
	}
}

// TestMistakesDoNotFillTheLog shows that a client which repeats a request that shows a
// mistake fills no log.
func TestMistakesDoNotFillTheLog(t *testing.T) {
	app := testapp.Over(scs.New(), store.NewMemory())
	app.Handler = app.Mux
	b := app.Browser(t)
	for range 100 {
		b.Delete(testapp.APIPath)
	}
	if n := strings.Count(app.Log.String(), "\n"); n != 20 {
		t.Errorf("%d lines, want 20", n)
	}
}

// TestMistakesAreReturned shows what the calls of an application return if they are made
// at the wrong place, and which of these are in the log as well.
func TestMistakesAreReturned(t *testing.T) {
	for mistake, c := range returned {
		t.Run(mistake, func(t *testing.T) {
			app := testapp.Over(scs.New(), store.NewMemory())
			err := c.call(t, app)
			if err == nil || !says(err.Error(), mistake) {
				t.Errorf("the error is %v", err)
			}
			isLogged := says(app.Log.String(), mistake)
			if isLogged != c.logged {
				t.Errorf("logged %t, want %t", isLogged, c.logged)
			}
			if isLogged && !errors.Is(err, revoke.ErrMisconfigured) {
				t.Errorf("%v is not ErrMisconfigured", err)
			}
		})
	}
}

// TestMistakesAreDocumented shows that the tables of docs/mistakes.md have the mistakes
// that are tried here, and no other.
func TestMistakesAreDocumented(t *testing.T) {
	rows := documented(t, "## Answered with 500")
	for name, c := range answered {
		if _, ok := rows[c.mistake]; !ok {
			t.Errorf("%s: no row has %q", name, c.mistake)
		}
	}
	for row := range rows {
		isTried := false
		for _, c := range answered {
			isTried = isTried || c.mistake == row
		}
		if !isTried {
			t.Errorf("nothing tries %q", row)
		}
	}

	rows = documented(t, "## Returned as an error")
	for mistake, c := range returned {
		what, ok := rows[mistake]
		if !ok {
			t.Errorf("no row has %q", mistake)
		} else if strings.HasPrefix(what, "also logged") != c.logged {
			t.Errorf("%q: logged is %t, and the row says %q", mistake, c.logged, what)
		}
	}
	for row := range rows {
		if _, ok := returned[row]; !ok {
			t.Errorf("nothing tries %q", row)
		}
	}
}

// documented returns the rows of a table: what is said of each mistake, and what
// happened.
func documented(t *testing.T, heading string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/mistakes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	rows := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\|").FindAllStringSubmatch(section, -1) {
		if _, isTwice := rows[row[1]]; isTwice {
			t.Errorf("two rows have %q", row[1])
		}
		rows[row[1]] = row[2]
	}
	if !found || len(rows) == 0 {
		t.Fatalf("no rows under %q", heading)
	}
	return rows
}

// says reports whether a text names a mistake. "…" stands for anything.
func says(text, mistake string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(mistake), "…", ".*")
	return regexp.MustCompile(pattern).MatchString(strings.ReplaceAll(text, `\"`, `"`))
}

// waitFor waits for what another goroutine is about to do.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("waited in vain")
}
