package queue_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/revoke-sessions/revoke/internal/queue"
)

// A diary is what a queue did, in order.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, fmt.Sprintf(format, args...))
}

// newQueue returns a queue that delivers only once open is closed, so that all
// that a test sends before waits.
func newQueue(limit int, deliver func(string)) (q *queue.Queue[string], d *diary, open chan struct{}) {
	d, open = new(diary), make(chan struct{})
	q = &queue.Queue[string]{
		Limit: limit,
		Deliver: func(v string) {
			<-open
			d.note("%s", v)
			deliver(v)
		},
		Failed:  func(v string, reason any) { d.note("failed %s: %v", v, reason) },
		Dropped: func(lost int) { d.note("lost %d", lost) },
	}
	return q, d, open
}

func TestQueue(t *testing.T) {
	type send struct {
		value  string
		urgent bool
	}
	for name, test := range map[string]struct {
		sent []send // the first of them is being delivered while the others are sent
		want []string
	}{
		"in order":                 {[]send{{"a", false}, {"b", false}, {"c", false}}, []string{"a", "b", "c"}},
		"urgent values go first":   {[]send{{"a", false}, {"b", false}, {"c", true}, {"d", true}}, []string{"a", "c", "d", "b"}},
		"a panic":                  {[]send{{"a", false}, {"panic", false}, {"b", false}}, []string{"a", "panic", "failed panic: oh", "b"}},
		"an exit":                  {[]send{{"a", false}, {"exit", false}, {"b", false}, {"exit", true}}, []string{"a", "exit", "failed exit: <nil>", "exit", "failed exit: <nil>", "b"}},
		"an exit at the end":       {[]send{{"exit", false}}, []string{"exit", "failed exit: <nil>"}},
		"too many":                 {[]send{{"a", false}, {"b", false}, {"c", false}, {"d", false}}, []string{"a", "b", "c", "lost 1"}},
		"urgent ones find room":    {[]send{{"a", false}, {"b", false}, {"c", false}, {"d", false}, {"e", true}}, []string{"a", "e", "b", "c", "lost 1"}},
		"too many urgent ones":     {[]send{{"a", false}, {"b", true}, {"c", true}, {"d", true}, {"e", false}}, []string{"a", "b", "c", "e", "lost 1"}},
		"many lost, reported once": {append([]send{{"a", false}}, slices.Repeat([]send{{"b", false}}, 7)...), []string{"a", "lost 5", "b", "b"}},
		"the last one is urgent":   {[]send{{"a", true}}, []string{"a"}},
		"nothing at all":           {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, d, open := newQueue(2, func(v string) {
					switch v {
					case "panic":
						panic("oh")
					case "exit":
						runtime.Goexit()
					}
				})
				for _, s := range test.sent {
					q.Send(s.value, s.urgent)
					synctest.Wait() // so that the first is taken out
				}
				close(open)
				synctest.Wait()
				if !slices.Equal(d.entries, test.want) {
					t.Errorf("did %q, want %q", d.entries, test.want)
				}
			})
		})
	}
}

func TestQueueWorksAgainAfterItWasEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, d, open := newQueue(2, func(string) {})
		close(open)
		for _, v := range []string{"a", "b", "c", "d"} {
			q.Send(v, false)
			synctest.Wait()
		}
		if want := []string{"a", "b", "c", "d"}; !slices.Equal(d.entries, want) {
			t.Errorf("did %q, want %q", d.entries, want)
		}
	})
}

func TestFlushWaitsForWhatWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, d, open := newQueue(2, func(v string) {
			if v == "exit" {
				runtime.Goexit()
			}
		})
		if err := q.Flush(t.Context()); err != nil {
			t.Errorf("of an empty queue: %v", err)
		}
		for _, v := range []string{"exit", "b", "c"} {
			q.Send(v, false)
			synctest.Wait()
		}
		q.Send("d", true)
		flushed := make(chan error)
		go func() {
			flushed <- q.Flush(t.Context())
			d.note("flushed")
		}()
		synctest.Wait()
		q.Send("after", true)
		close(open)
		if err := <-flushed; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if want := []string{"exit", "failed exit: <nil>", "d", "after", "b", "c", "flushed"}; !slices.Equal(d.entries, want) {
			t.Errorf("did %q, want %q", d.entries, want)
		}
	})
}

func TestFlushEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, d, open := newQueue(2, func(string) {})
		q.Send("a", false)
		ctx, cancel := context.WithCancel(t.Context())
		synctest.Wait()
		cancel()
		if err := q.Flush(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("returned %v", err)
		}
		close(open)
		synctest.Wait()
		if want := []string{"a"}; !slices.Equal(d.entries, want) {
			t.Errorf("did %q, want %q", d.entries, want)
		}
	})
}
