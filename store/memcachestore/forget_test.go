package memcachestore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// A server that is full forgets sessions, tombstones and marks while they are in use.
// Nothing that was revoked comes back, and nobody is somebody else.
func TestStoreOnAServerThatIsFull(t *testing.T) {
	server := start(t, "-m", "4")
	client := server.client()
	st := patient(client)
	ctx := t.Context()
	const users, rounds = 60, 40
	var forgotten, revoked int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for u := range users {
		wg.Go(func() {
			user := fmt.Sprint("user", u)
			ended := make(map[string]bool)
			for i := range rounds {
				id := fmt.Sprint(i)
				r := after(record(user, id))
				r.Data = make([]byte, 1000+rand.IntN(30_000))
				r.Client = []byte(user)
				if _, err := st.Create(ctx, r, store.Limit{Max: 10}); err != nil {
					continue // there was no room
				}
				if i%3 == 0 {
					if _, err := st.Revoke(ctx, user, id, store.Revocation{}); err == nil || errors.Is(err, store.ErrNotFound) {
						ended[id] = true
					}
				} else if i%10 == 0 {
					if _, err := st.RevokeAll(ctx, user, "", store.Revocation{}); err == nil {
						for j := range i + 1 {
							ended[fmt.Sprint(j)] = true
						}
					}
				}
				target := fmt.Sprint(rand.IntN(i + 1))
				old := record(user, target)
				old.Client, old.Data = []byte(user), make([]byte, 5000)
				if err := st.Update(ctx, old, old.Secret); err == nil && ended[target] {
					t.Errorf("Update of session %s of %s, which was revoked, returned no error", target, user)
				}
				live, err := st.List(ctx, user)
				if err != nil {
					t.Errorf("List: %v", err)
				}
				for _, r := range live {
					if ended[r.ID] {
						t.Errorf("session %s of %s was revoked and is live", r.ID, user)
					}
					if string(r.Client) != user {
						t.Errorf("session %s of %s is one of %s", r.ID, user, r.Client)
					}
				}
				if len(live) == 0 {
					mu.Lock()
					forgotten++
					mu.Unlock()
				}
			}
			mu.Lock()
			revoked += len(ended)
			mu.Unlock()
		})
	}
	wg.Wait()
	evictions := server.stat("evictions")
	if evictions == 0 || revoked == 0 {
		t.Fatalf("Memcached forgot %d items, and %d sessions were revoked: the test shows nothing", evictions, revoked)
	}
	t.Logf("Memcached forgot %d items; %d sessions were revoked; %d times a user had none", evictions, revoked, forgotten)
}

// A generation that was forgotten is never the same again, whatever order its
// successors come in.
func TestStoreForgetsTheGeneration(t *testing.T) {
	client := start(t).client()
	st := patient(client)
	const key = "revoke:everyone"
	create(t, st, record("user", "a"))
	first := must(client.Get(key)).Value
	check(client.Delete(key))
	before := time.Now().Truncate(time.Microsecond)
	wantError(t, st, "user", "a", store.ErrNotFound)
	create(t, st, record("user", "b"))
	wantError(t, st, "user", "b", nil)
	if at := must(st.RevokedEveryone(t.Context())); at.Before(before) || at.After(time.Now()) {
		t.Errorf("RevokedEveryone returned %v, of a generation that began after %v", at, before)
	}
	seen := map[string]bool{generation(first): true}
	for i := range 20 {
		if i%2 == 0 {
			check(client.Delete(key))
			must(st.List(t.Context(), "user"))
		} else {
			check(st.RevokeEveryone(t.Context()))
		}
		wantError(t, st, "user", "a", store.ErrNotFound)
		wantError(t, st, "user", "b", store.ErrNotFound)
		next := generation(must(client.Get(key)).Value)
		if seen[next] {
			t.Fatal("a generation came back")
		}
		seen[next] = true
	}
}

// generation returns the random part of a generation's value.
func generation(value []byte) string { return string(value[len(value)-16:]) }

// Calls that find no generation, all at once, agree on one.
func TestStoreBeginsOneGeneration(t *testing.T) {
	client := start(t).client()
	for range 20 {
		check(client.DeleteAll())
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { create(t, patient(client), record("user", fmt.Sprint(i))) })
		}
		wg.Wait()
		if n := len(must(patient(client).List(t.Context(), "user"))); n != 20 {
			t.Fatalf("%d of 20 sessions are live", n)
		}
	}
}

// The time of RevokeEveryone never moves back, also if another node's clock is ahead.
func TestStoreRevokedEveryoneByAClockThatIsAhead(t *testing.T) {
	client := start(t).client()
	st := patient(client)
	check(st.RevokeEveryone(t.Context()))
	item := must(client.Get("revoke:everyone"))
	ahead := append([]byte{item.Value[0]}, microsecondsOf(time.Now().Add(time.Hour))...)
	item.Value = append(ahead, generation(item.Value)...)
	check(client.CompareAndSwap(item))
	was := must(st.RevokedEveryone(t.Context()))
	if time.Until(was) < time.Minute {
		t.Fatalf("everyone was revoked at %v", was)
	}
	create(t, st, record("user", "a"))
	check(st.RevokeEveryone(t.Context()))
	if at := must(st.RevokedEveryone(t.Context())); at.Before(was) {
		t.Errorf("the time moved back from %v to %v", was, at)
	}
	wantError(t, st, "user", "a", store.ErrNotFound)
}

// A write that was under way while its session ended, and while Memcached forgot that,
// changes nothing.
func TestStoreForgetsDuringAWrite(t *testing.T) {
	for name, forget := range map[string]func(s *server){
		// A server that restarts numbers its values anew, from 1, so that the next value
		// has the number of the one that was read.
		"the server restarts": func(s *server) { s.Restart() },
		"the value goes": func(s *server) {
			for _, item := range s.items() {
				if item.key != "revoke:everyone" {
					check(s.client().Delete(item.key))
				}
			}
		},
		"the generation goes": func(s *server) { check(s.client().Delete("revoke:everyone")) },
		"all goes":            func(s *server) { check(s.client().DeleteAll()) },
		"everyone is revoked": func(s *server) { check(patient(s.client()).RevokeEveryone(context.Background())) },
	} {
		for then, signsIn := range map[string]bool{"": false, ", and the user signs in": true} {
			t.Run(name+then, func(t *testing.T) {
				server := start(t)
				here, client := patient(server.client()), server.client()
				create(t, here, record("user", "a"))
				waiting, released := make(chan struct{}), make(chan struct{})
				var once sync.Once
				hold(client, "cas", func() { once.Do(func() { close(waiting); <-released }) })
				done := make(chan error)
				go func() { // it has read a value in which session a is live
					done <- patient(client).Touch(context.Background(), "user", "a", store.Touch{SeenAt: time.Now()})
				}()
				<-waiting
				must(here.Revoke(t.Context(), "user", "a", store.Revocation{}))
				forget(server)
				st := patient(server.client())
				if signsIn {
					create(t, st, record("user", "b"))
				}
				close(released)
				if err := <-done; !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrRevoked) {
					t.Errorf("Touch: %v", err)
				}
				wantError(t, st, "user", "a", store.ErrNotFound)
				if signsIn {
					wantError(t, st, "user", "b", nil)
				}
			})
		}
	}
}
