package trial

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Sessions returns R1 to R15, but for R12, which is a replica that is promoted.
func Sessions() (all Ways) {
	for _, way := range slices.Concat(alsoInPlainSCS, onlyHere) {
		all = append(all, Way{way.name, way.story, func(t *testing.T, st store.Store) {
			tr := overRevoke(t, st)
			way.run(tr)
			if tr.opens() != "" {
				t.Errorf("a revoked session came back: %s", way.story)
			}
			if left := tr.app.List(t, "ann"); len(left) != 0 {
				t.Errorf("sessions left after %s: %v", way.story, left)
			}
		}})
	}
	return all
}

// A sessionWay ends a user's session while somebody is about to bring it back.
type sessionWay struct {
	name  string
	story string
	run   func(*trial)
}

var alsoInPlainSCS = []sessionWay{
	{"R1", "a request in flight changes its data and commits", func(tr *trial) {
		token := tr.signIn()
		finish := tr.inFlight(token, func(_ http.ResponseWriter, r *http.Request) { tr.app.SCS.Put(r.Context(), "cart", "book") })
		tr.end(elsewhere, token)
		finish()
	}},
	{"R2", "under an idle timeout a request in flight that only reads commits", func(tr *trial) {
		tr.app.SCS.IdleTimeout = time.Hour
		token := tr.signIn()
		finish := tr.inFlight(token, func(_ http.ResponseWriter, r *http.Request) { tr.app.SCS.GetString(r.Context(), "userID") })
		tr.end(elsewhere, token)
		finish()
	}},
	{"R3", "a handler ends its own session and the middleware commits it again", func(tr *trial) {
		token := tr.signIn()
		finish := tr.inFlight(token, func(_ http.ResponseWriter, r *http.Request) {
			tr.end(r.Context(), token)
			tr.app.SCS.Put(r.Context(), "last", "page")
		})
		finish()
	}},
	{"R4", "a hijacked connection ends later and its stale data is committed", func(tr *trial) {
		tr.app.SCS.IdleTimeout = time.Hour
		token := tr.signIn()
		finish := tr.start(token, func(w http.ResponseWriter, _ *http.Request) {
			conn, buffer, err := http.NewResponseController(w).Hijack()
			tr.pause()
			if err != nil {
				tr.t.Errorf("the connection was not hijacked: %v", err)
				return
			}
			defer conn.Close()
			buffer.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			buffer.Flush()
		})
		tr.end(elsewhere, token)
		finish()
		tr.served.Wait() // the handler returns after its last byte
	}},
	{"R5", "a request in flight renews the token and moves the data to it", func(tr *trial) {
		token := tr.signIn()
		finish := tr.inFlight(token, func(_ http.ResponseWriter, r *http.Request) { tr.app.SCS.RenewToken(r.Context()) })
		tr.end(elsewhere, token)
		finish()
	}},
	{"R6", "a request that holds the old token writes after a renewal", func(tr *trial) {
		token := tr.signIn()
		finish := tr.inFlight(token, func(_ http.ResponseWriter, r *http.Request) { tr.app.SCS.Put(r.Context(), "cart", "book") })
		tr.act = func(_ http.ResponseWriter, r *http.Request) { tr.app.SCS.RenewToken(r.Context()) }
		renewed := tr.send("/act", token)
		if renewed == "" {
			tr.t.Fatal("the renewal issued no token")
		}
		finish()
		tr.end(elsewhere, renewed)
	}},
	{"R7", "two requests renew at once and one session becomes two", func(tr *trial) {
		token := tr.signIn()
		renew := func(_ http.ResponseWriter, r *http.Request) { tr.app.SCS.RenewToken(r.Context()) }
		finish1 := tr.inFlight(token, renew)
		finish2 := tr.inFlight(token, renew)
		first := finish1()
		second := finish2()
		if first != "" {
			tr.end(elsewhere, first)
		} else {
			tr.end(elsewhere, second)
		}
	}},
	{"R8", "MergeSession copies the data of a session that is ended meanwhile", func(tr *trial) {
		token := tr.signIn()
		tr.act = func(_ http.ResponseWriter, r *http.Request) {
			tr.find(func() { tr.end(elsewhere, token) })
			tr.app.SCS.MergeSession(r.Context(), token)
		}
		tr.send("/act", "")
	}},
	{"R9", "Iterate hands out a snapshot that a callback commits", func(tr *trial) {
		token := tr.signIn()
		tr.app.SCS.Iterate(context.Background(), func(ctx context.Context) error {
			tr.end(elsewhere, token)
			tr.app.SCS.Put(ctx, "seen", true)
			tr.app.SCS.Commit(ctx)
			return nil
		})
	}},
	{"R10", "a goroutine keeps the context and commits after the response", func(tr *trial) {
		token := tr.signIn()
		contexts := make(chan context.Context, 1)
		tr.act = func(_ http.ResponseWriter, r *http.Request) { contexts <- context.WithoutCancel(r.Context()) }
		tr.send("/act", token)
		tr.end(elsewhere, token)
		ctx := <-contexts
		tr.app.SCS.Put(ctx, "done", true)
		tr.app.SCS.Commit(ctx)
		tr.app.SCS.RenewToken(ctx)
		if renewed, _, err := tr.app.SCS.Commit(ctx); err == nil {
			tr.issued = append(tr.issued, renewed)
		}
	}},
	{"R11", "a last-seen update rewrites the record", func(tr *trial) {
		token := tr.signIn()
		finish := tr.inFlight(token, func(_ http.ResponseWriter, r *http.Request) {
			if !tr.tracks() { // plain scs leaves it to the application
				tr.app.SCS.Put(r.Context(), "last_seen", time.Now().Unix())
			}
		})
		tr.end(elsewhere, token)
		finish()
	}},
}

// onlyHere are the ways that plain scs has no need of: it has no other sessions than
// its own, no RevokeAll, and no tombstones.
var onlyHere = []sessionWay{
	{"R13", "a session from before revoke came is used again, or is just being adopted", func(tr *trial) {
		dormant, adopted, adopting := tr.signInBefore(), tr.signInBefore(), tr.signInBefore()
		finish := tr.inFlight(adopted, func(_ http.ResponseWriter, r *http.Request) { tr.app.SCS.Put(r.Context(), "cart", "book") })
		tr.tap.AfterNext("Create", tr.endAll)
		tr.send("/renew", adopting)
		finish()
		for _, token := range []string{dormant, adopted, adopting} {
			tr.send("/renew", token)
		}
	}},
	{"R14", "a sign-in is under way whose password was checked before", func(tr *trial) {
		login := func(_ http.ResponseWriter, r *http.Request) {
			if err := tr.app.Sessions.Login(r.Context(), "ann"); err != nil {
				tr.t.Error(err)
			}
		}
		token := tr.signIn()
		finish := tr.inFlight(token, func(_ http.ResponseWriter, r *http.Request) {
			tr.app.SCS.RenewToken(r.Context())
			tr.app.SCS.Put(r.Context(), "userID", "ann")
		})
		tr.endAll()
		finish()
		finish = tr.inFlight("", login)
		tr.endAll()
		finish()
	}},
	{"R15", "a tombstone is forgotten while a write, a renewal and an old cookie are under way", func(tr *trial) {
		tokens := []string{tr.signIn(), tr.signIn(), tr.signInBefore()}
		before, _, _ := tr.app.Visitors.Find(tokens[2])
		tr.app.BrowserWith(tr.t, tokens[2]).Opens() // it is adopted
		write := tr.inFlight(tokens[0], func(_ http.ResponseWriter, r *http.Request) { tr.app.SCS.Put(r.Context(), "cart", "book") })
		tr.endAll()
		for range store.MaxTombstones + 5 {
			time.Sleep(time.Millisecond) // after the mark of endAll
			token := tr.signIn()
			tr.end(elsewhere, token)
		}
		write()
		tr.app.Visitors.Commit(tokens[2], before, time.Now().Add(time.Hour)) // by a node of plain scs, on which it was under way
		for _, token := range tokens {
			tr.send("/renew", token)
		}
	}},
}
