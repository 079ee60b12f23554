//go:build unix

// Package accesstokens_test attacks leases with two processes and one Redis: a site that ends
// sessions, and a service that takes access tokens and remembers for a while that their
// sessions are live.
package accesstokens_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/redistest"
)

// lease is short, so that there are many rounds.
const lease = 100 * time.Millisecond

// A way ends a session of a user, and returns when that was answered.
type way func(site *node, s signIn) time.Time

func by(path string) way {
	return func(site *node, s signIn) time.Time {
		if status, body := site.call(fmt.Sprintf("%s?user=%s&id=%s", path, s.User, s.ID), ""); status != http.StatusOK {
			site.t.Errorf("%s: %d %s", path, status, body)
		}
		return time.Now()
	}
}

// bySignIn signs the user in again, which evicts the session.
func bySignIn(site *node, s signIn) time.Time {
	site.signIn(s.User)
	return time.Now()
}

// byFirstOfTwo has the session ended twice at once, and returns when the first answer
// came: one of them is 404, and says that it has ended as well.
func byFirstOfTwo(site *node, s signIn) time.Time {
	answered := make(chan time.Time, 2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if status, body := site.call(fmt.Sprintf("/revoke?user=%s&id=%s", s.User, s.ID), ""); status != http.StatusOK && status != http.StatusNotFound {
				site.t.Errorf("revoke: %d %s", status, body)
			}
			answered <- time.Now()
		})
	}
	wg.Wait()
	return <-answered
}

// attack has clients use a token at the service all the time, ends the session at the
// site, and returns how often the service said yes to requests that were sent after that
// was answered, and how often it was asked at all.
func attack(site, service *node, user string, end way, meanwhile func()) (late, asked int) {
	s := site.signIn(user)
	type check struct {
		sent   time.Time
		status int
	}
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		checks []check
	)
	over := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				c := check{sent: time.Now()}
				c.status, _ = service.call("/", s.Token)
				mu.Lock()
				checks = append(checks, c)
				mu.Unlock()
			}
		})
	}
	time.Sleep(rand.N(lease))
	meanwhile()
	answered := end(site, s)
	time.Sleep(lease)
	close(over)
	wg.Wait()
	for _, c := range checks {
		if c.status == http.StatusOK && c.sent.After(answered) {
			late++
		}
	}
	return late, len(checks)
}

// TestNobodySaysYesAfterTheAnswer attacks a lease by each way to end a session, and breaks
// it by each mistake in its use, so that the attack is known to be one.
func TestNobodySaysYesAfterTheAnswer(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	leased := nodeConfig{Redis: server.Addr, Lease: lease}
	listens, evicts, without, longer := leased, leased, leased, leased
	listens.Listen = true
	evicts.MaxPerUser = 1
	without.Lease = 0
	longer.Lease = 5 * lease

	for _, test := range []struct {
		name          string
		site, service nodeConfig
		end           way
		breaks        bool
	}{
		{"no lease", without, without, by("/revoke"), false},
		{"revoke", leased, leased, by("/revoke"), false},
		{"revoke, with notices", listens, listens, by("/revoke"), false},
		{"the first answer of two", leased, leased, byFirstOfTwo, false},
		{"revoke all", leased, leased, by("/revoke-all"), false},
		{"revoke everyone", leased, leased, by("/revoke-everyone"), false},
		{"evict", evicts, leased, bySignIn, false},
		{"mistake: the site has no lease", without, leased, by("/revoke"), true},
		{"mistake: the site's lease is shorter", leased, longer, by("/revoke"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			site := start(t, test.site)
			test.service.JWKS = site.url + "/jwks"
			service := start(t, test.service)
			rounds := 5
			if testing.Short() {
				rounds = 2
			}
			late, asked := 0, 0
			for i := range rounds {
				l, a := attack(site, service, fmt.Sprintf("user%d", i), test.end, func() {})
				late, asked = late+l, asked+a
			}
			t.Logf("%d requests, of which %d were let in after the answer", asked, late)
			if (late > 0) != test.breaks {
				t.Errorf("%d of %d requests were let in after the answer", late, asked)
			}
		})
	}
}

// TestNoticesAreNotEnough breaks a lease whose holder relies on notices: they come by a
// connection that may be slow.
func TestNoticesAreNotEnough(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	proxy := redistest.NewProxy(t, server)
	for _, test := range []struct {
		name   string
		waits  time.Duration
		breaks bool
	}{
		{"the site waits", lease, false},
		{"mistake: the site relies on notices", 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			site := start(t, nodeConfig{Redis: server.Addr, Lease: test.waits})
			service := start(t, nodeConfig{Redis: proxy.Addr, Lease: lease, Listen: true, JWKS: site.url + "/jwks"})
			late := 0
			for i := range 3 {
				l, _ := attack(site, service, fmt.Sprintf("%v%d", test.breaks, i), by("/revoke"), func() {
					proxy.Stall()
					time.AfterFunc(2*lease, proxy.Heal)
				})
				late += l
			}
			if (late > 0) != test.breaks {
				t.Errorf("%d requests were let in after the answer", late)
			}
		})
	}
}

// TestStoppedService stops the service around the revocation, for less than a lease and
// for more.
func TestStoppedService(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	site := start(t, nodeConfig{Redis: server.Addr, Lease: lease})
	service := start(t, nodeConfig{Redis: server.Addr, Lease: lease, JWKS: site.url + "/jwks"})
	for _, before := range []time.Duration{0, lease / 20, lease / 2} {
		for _, lasting := range []time.Duration{lease * 3 / 4, lease * 6 / 5, lease * 3} {
			late, asked := attack(site, service, fmt.Sprintf("%v-%v", before, lasting), by("/revoke"), func() {
				service.signal(syscall.SIGSTOP)
				time.AfterFunc(lasting, func() { service.signal(syscall.SIGCONT) })
				time.Sleep(before)
			})
			if late > 0 {
				t.Errorf("stopped %v before the revocation, for %v: %d of %d requests were let in after the answer", before, lasting, late, asked)
			}
		}
	}
}

// TestStoppedBetweenAnswerAndUse stops the service exactly between the store's answer,
// which is yes, and its use, and lets it go on when the revocation was answered. A lease
// does not let that request in. Without one it goes through, for it was sent before; that
// it is let in shows that the service was stopped where it should be.
func TestStoppedBetweenAnswerAndUse(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	for _, test := range []struct {
		name  string
		lease time.Duration
		first int // status of the request that was under way
	}{
		{"lease", lease, http.StatusUnauthorized},
		{"no lease", 0, http.StatusOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			site := start(t, nodeConfig{Redis: server.Addr, Lease: test.lease})
			service := start(t, nodeConfig{Redis: server.Addr, Lease: test.lease, JWKS: site.url + "/jwks"})
			for i := range 3 {
				s := site.signIn(fmt.Sprintf("%s%d", test.name[:2], i))
				service.call("/stop", "")
				first := make(chan int)
				go func() {
					status, _ := service.call("/", s.Token)
					first <- status
				}()
				service.waitStopped()
				by("/revoke")(site, s)
				later := make(chan int)
				for range 4 {
					go func() {
						status, _ := service.call("/", s.Token)
						later <- status
					}()
				}
				service.signal(syscall.SIGCONT)
				if got := <-first; got != test.first {
					t.Errorf("the request that was under way: %d", got)
				}
				for range 4 {
					if got := <-later; got != http.StatusUnauthorized {
						t.Errorf("a request that was sent after the answer: %d", got)
					}
				}
				if got, _ := service.call("/", s.Token); got != http.StatusUnauthorized {
					t.Errorf("a request to a service that goes on: %d", got)
				}
			}
		})
	}
}
