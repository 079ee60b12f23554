package testapp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/revoke-sessions/revoke"
)

// A Log is an audit log that may be read while it is written.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Count returns how many events of a kind were logged.
func (l *Log) Count(kind revoke.Kind) int {
	return strings.Count(l.String(), `"event.name":"session.`+string(kind)+`"`)
}

// Take returns the kinds of the events that were logged, in order, and empties
// the log.
func (l *Log) Take(t testing.TB) (kinds []revoke.Kind) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		var e struct {
			Name string `json:"event.name"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, revoke.Kind(strings.TrimPrefix(e.Name, "session.")))
	}
	l.b.Reset()
	return kinds
}

// Last returns the event that was logged last.
func (l *Log) Last(t testing.TB) (event map[string]any) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &event); err != nil {
		t.Fatal(err)
	}
	return event
}

// A NaiveHandler writes records as they are, without escaping anything.
type NaiveHandler struct{ Out io.Writer }

func (NaiveHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h NaiveHandler) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h NaiveHandler) WithGroup(string) slog.Handler          { return h }
func (h NaiveHandler) Handle(_ context.Context, r slog.Record) error {
	fmt.Fprint(h.Out, r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(h.Out, " %s=%s", a.Key, a.Value); return true })
	fmt.Fprintln(h.Out)
	return nil
}
