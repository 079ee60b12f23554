package faults

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// BenchmarkWatchRedis measures how long after the answer to a revocation, and
// after its request, the watch on another node ends.
func BenchmarkWatchRedis(b *testing.B) {
	server := redistest.Start(b)
	server.NeedReal(b)
	here, watch := newQuietNode(b, server)
	there := testapp.New(b, store.NewRedis(server.Pool()))
	there.Sessions.Logger = slog.New(slog.DiscardHandler)
	var answered, asked durations
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		user := fmt.Sprint(i)
		watched, other := here.SignedIn(b, user), here.SignedIn(b, user)
		var end time.Time
		ended := make(chan struct{})
		context.AfterFunc(watch(watched), func() {
			end = time.Now()
			close(ended)
		})
		other.App = there
		b.StartTimer()
		asks := time.Now()
		got := other.Delete(testapp.APIPath)
		answer := time.Now()
		<-ended
		b.StopTimer()
		if got.Status != http.StatusOK {
			b.Fatalf("%d %s", got.Status, got.Body)
		}
		answered, asked = append(answered, max(end.Sub(answer), 0)), append(asked, end.Sub(asks))
		b.StartTimer()
	}
	answered.report(b, "after-answer")
	asked.report(b, "after-request")
}

// BenchmarkWatchRedis100k has 100,000 sessions watched on one node, and measures
// what they cost and how long it takes until one that is revoked has ended: in
// general, and when the subscription was just lost; and until all have.
func BenchmarkWatchRedis100k(b *testing.B) {
	const n = 100_000
	server := redistest.Start(b)
	server.NeedReal(b)
	here, watch := newQuietNode(b, server)
	there := revoke.New(scs.New(), store.NewRedis(server.Pool()))
	browsers := make([]*testapp.Browser, n)
	inParallel(n, func(i int) { browsers[i] = here.SignedIn(b, fmt.Sprint(i)) })
	watches := make([]context.Context, n)
	var before, after runtime.MemStats
	goroutines := runtime.NumGoroutine()
	runtime.GC()
	runtime.ReadMemStats(&before)
	inParallel(n, func(i int) { watches[i] = watch(browsers[i]) })
	runtime.GC()
	runtime.ReadMemStats(&after)
	goroutines = runtime.NumGoroutine() - goroutines

	last := n
	revokeNext := func() time.Duration {
		last--
		if _, err := there.RevokeAll(b.Context(), fmt.Sprint(last)); err != nil {
			b.Fatal(err)
		}
		answer := time.Now()
		<-watches[last].Done()
		return time.Since(answer)
	}
	var answered durations
	for b.Loop() {
		answered = append(answered, revokeNext())
	}
	answered.report(b, "after-answer")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/watch")
	b.ReportMetric(float64(goroutines), "goroutines")

	server.Do("CLIENT", "KILL", "TYPE", "pubsub")
	b.ReportMetric(revokeNext().Seconds(), "s-lost-subscription")

	if err := there.RevokeEveryone(b.Context()); err != nil {
		b.Fatal(err)
	}
	answer := time.Now()
	for _, watch := range watches {
		<-watch.Done()
	}
	b.ReportMetric(time.Since(answer).Seconds(), "s-everyone")
}

type durations []time.Duration

func (d durations) report(b *testing.B, name string) {
	slices.Sort(d)
	b.ReportMetric(float64(d[len(d)/2].Microseconds()), "p50-us-"+name)
	b.ReportMetric(float64(d[len(d)*99/100].Microseconds()), "p99-us-"+name)
}

func inParallel(n int, f func(i int)) {
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := worker; i < n; i += 8 {
				f(i)
			}
		})
	}
	workers.Wait()
}

// newQuietNode is newNode without a network or a log.
func newQuietNode(b *testing.B, server *redistest.Server) (*testapp.App, func(*testapp.Browser) context.Context) {
	app := testapp.Over(scs.New(), store.NewRedis(server.Pool()))
	app.Sessions.Logger = slog.New(slog.DiscardHandler)
	return nodeOf(b, app)
}
