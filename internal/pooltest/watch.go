package pooltest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

// A watched request ends when its session is revoked on another node. After its
// subscription stands, a Watch looks by itself every half minute at the soonest, so what
// ends before that was told.
func (c Client) watches(t *testing.T) {
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
		server.NeedReal(t)
		w := newWatched(t, c.Single(t, server.Addr), c.Single(t, server.Addr), server)
		w.endsAtOnce("at first")
		w.cut()
		w.endsAtOnce("after its link was cut")
		request := w.begin()
		server.Restart()
		w.subscribed()
		w.revoke(request, "after a restart")
		w.leavesNothing()
	})
	t.Run("single that cannot be reached meanwhile", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t)
		server.NeedReal(t)
		proxy := redistest.NewProxy(t, server)
		w := newWatched(t, c.Single(t, proxy.Addr), c.Single(t, server.Addr), server)
		request := w.begin()
		proxy.Refuse()
		w.soonSubscriptions("the link to be cut", func(n int) bool { return n == 0 })
		w.end()
		proxy.Heal()
		w.wantRevoked(request, "while the link was cut")
	})
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		primary := redistest.Start(t)
		replica := primary.StartReplica(t, nil)
		sentinels := addrs(redistest.StartSentinels(t, 1, "sessions", primary))
		w := newWatched(t, c.Sentinel(t, "sessions", sentinels), c.Sentinel(t, "sessions", sentinels), primary, replica)
		w.endsAtOnce("at first")
		w.cut()
		w.endsAtOnce("after its link was cut")
		w.leavesNothing()
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		primaries, replicas := redistest.StartReplicatedCluster(t, 3)
		nodes := addrs(primaries)
		w := newWatched(t, c.Cluster(t, nodes), c.Cluster(t, nodes), append(primaries, replicas...)...)
		w.endsAtOnce("at first")
		w.cut()
		w.endsAtOnce("after its link was cut")
		w.leavesNothing()
	})
}

// A watched is an application on two nodes: one has watched requests, and on the other
// their sessions are revoked.
type watched struct {
	*testing.T
	url     string
	there   *revoke.Manager
	servers []*redistest.Server
	user    string
	users   int
}

func newWatched(t *testing.T, here, there store.Pool, servers ...*redistest.Server) *watched {
	sm := scs.New()
	sessions := quiet(revoke.New(sm, patient(here)))
	mux := http.NewServeMux()
	mux.HandleFunc("/login/{user}", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Login(r.Context(), r.PathValue("user")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/watch", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := sessions.Watch(r.Context())
		defer cancel()
		fmt.Fprintln(w, "watching")
		w.(http.Flusher).Flush()
		<-ctx.Done()
		var over *revoke.RevokedError
		fmt.Fprintf(w, "revoked: %v", errors.As(context.Cause(ctx), &over))
	})
	web := httptest.NewServer(sessions.Track(mux))
	t.Cleanup(web.Close)
	return &watched{T: t, url: web.URL, there: quiet(revoke.New(scs.New(), patient(there))), servers: servers}
}

func quiet(m *revoke.Manager) *revoke.Manager {
	m.Logger = slog.New(slog.DiscardHandler)
	return m
}

// begin signs a user in, and returns a request that is watched, and that the node has
// subscribed for.
func (w *watched) begin() *bufio.Reader {
	w.Helper()
	w.users++
	w.user = fmt.Sprint("user", w.users)
	browser := &http.Client{Jar: must(cookiejar.New(nil))}
	must(browser.Get(w.url + "/login/" + w.user)).Body.Close()
	response := must(browser.Get(w.url + "/watch"))
	w.Cleanup(func() { response.Body.Close() })
	body := bufio.NewReader(response.Body)
	if line := must(body.ReadString('\n')); line != "watching\n" {
		w.Fatalf("a request was answered %q", line)
	}
	w.subscribed()
	return body
}

// end ends the session. A connection that Redis has closed fails the call that uses it.
func (w *watched) end() {
	w.Helper()
	soon(w.T, "a session to be revoked", func() bool {
		sessions, err := w.there.List(w.Context(), w.user)
		if err != nil {
			return false
		}
		if len(sessions) != 1 {
			w.Fatalf("%s has %d sessions, want one", w.user, len(sessions))
		}
		return w.there.Revoke(w.Context(), w.user, sessions[0].ID) == nil
	})
}

func (w *watched) revoke(request *bufio.Reader, when string) {
	w.Helper()
	w.end()
	w.wantRevoked(request, when)
}

func (w *watched) endsAtOnce(when string) {
	w.Helper()
	w.revoke(w.begin(), when)
}

func (w *watched) wantRevoked(request *bufio.Reader, when string) {
	w.Helper()
	told := make(chan string, 1)
	go func() {
		rest, _ := io.ReadAll(request)
		told <- string(rest)
	}()
	var got string
	soon(w.T, "a request to end, whose session was revoked "+when, func() bool {
		select {
		case got = <-told:
			return true
		default:
			return false
		}
	})
	if got != "revoked: true" {
		w.Errorf("a request whose session was revoked %s ended with %q", when, got)
	}
}

// cut closes the subscription's connection, and waits for another.
func (w *watched) cut() {
	w.Helper()
	cut := int64(0)
	for _, s := range w.servers {
		cut += redis64(s.Do("CLIENT", "KILL", "TYPE", "pubsub"))
	}
	if cut == 0 {
		w.Fatal("there was no subscription to cut")
	}
	w.subscribed()
}

func (w *watched) subscribed() {
	w.Helper()
	w.soonSubscriptions("the subscription", func(n int) bool { return n == 1 })
}

// leavesNothing waits until nothing is watched and so nobody subscribes.
func (w *watched) leavesNothing() {
	w.Helper()
	w.soonSubscriptions("the subscription to end", func(n int) bool { return n == 0 })
}

func (w *watched) soonSubscriptions(what string, done func(n int) bool) {
	w.Helper()
	soon(w.T, what, func() bool {
		n := 0
		for _, s := range w.servers {
			count := must(redis.Values(s.Do("PUBSUB", "NUMSUB", "revoke:ended"), nil))
			n += int(redis64(count[1]))
		}
		return done(n)
	})
}

// A subscription that has ended leaves neither a goroutine nor a connection. This test is
// not parallel, so that it has the goroutines to itself.
func (c Client) leavesNothingBehind(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	st := patient(c.Single(t, server.Addr))
	subscribe := func() {
		ctx, cancel := context.WithCancel(t.Context())
		st.Subscribe(ctx, func(string) { cancel() })
		cancel()
	}
	left := func() (goroutines, connections int) {
		connections = strings.Count(must(redis.String(server.Do("CLIENT", "LIST"), nil)), "\n")
		return runtime.NumGoroutine(), connections
	}
	subscribe() // has the client start what it keeps
	soon(t, "the first subscription to end", func() bool {
		return len(must(redis.Strings(server.Do("PUBSUB", "CHANNELS"), nil))) == 0
	})
	goroutines, connections := left()
	for range 20 {
		subscribe()
	}
	soon(t, "20 subscriptions to leave nothing behind", func() bool {
		g, n := left()
		return g <= goroutines && n <= connections
	})
}
