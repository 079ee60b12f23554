package memcachestore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/memcachestore"
	"github.com/revoke-sessions/revoke/store/storetest"
)

func TestStore(t *testing.T) {
	client := start(t, "-m", "512", "-I", "8m").client()
	storetest.Run(t, func() store.Store { return patient(client) })
	storetest.RunLeases(t, func() store.Store { return patient(client) })
}

func TestStoreOnSeveralServers(t *testing.T) {
	client := memcache.New(start(t).Addr, start(t).Addr, start(t).Addr)
	client.Timeout = time.Minute
	t.Cleanup(func() { client.Close() })
	st := patient(client)
	for i := range 30 {
		create(t, st, record(fmt.Sprint("user", i), "a"))
	}
	check(st.RevokeEveryone(t.Context()))
	for i := range 30 {
		wantError(t, st, fmt.Sprint("user", i), "a", store.ErrNotFound)
	}
}

// Everything is refused that would make two steps of one.
func TestStoreNeedsCompareAndSwap(t *testing.T) {
	st := patient(start(t, "-C").client())
	ctx := t.Context()
	create := func(id string) error {
		_, err := st.Create(ctx, record("user", id), store.Limit{})
		return err
	}
	check(create("a")) // there is nothing to compare it with
	if err := create("b"); err == nil || !strings.Contains(err.Error(), "-C") {
		t.Fatalf("Create without compare and swap: %v", err)
	}
	wantError(t, st, "user", "b", store.ErrNotFound)
}

func TestStoreRefusesWhatIsTooLarge(t *testing.T) {
	st := patient(start(t).client())
	ctx := t.Context()
	small := record("user", "small")
	small.Data = make([]byte, 500_000)
	create(t, st, small)
	large := record("user", "large")
	large.Data = make([]byte, 600_000)
	_, err := st.Create(ctx, large, store.Limit{})
	if !errors.Is(err, memcachestore.ErrTooLarge) {
		t.Fatalf("Create beyond a megabyte: %v", err)
	}
	wantError(t, st, "user", "large", store.ErrNotFound)
	wantError(t, st, "user", "small", nil)
	large.ID = "small"
	large.Data = make([]byte, 1<<20)
	if err := st.Update(ctx, large, small.Secret); !errors.Is(err, memcachestore.ErrTooLarge) {
		t.Fatalf("Update beyond a megabyte: %v", err)
	}
	if r := must(st.Find(ctx, "user", "small")); len(r.Data) != len(small.Data) {
		t.Fatalf("after an Update that was refused the session has %d bytes", len(r.Data))
	}
	must(st.RevokeAll(ctx, "user", "", store.Revocation{}))
	create(t, st, after(record("user", "next")))
}

// A write gives up if others come first all the time.
func TestStoreIsOvertaken(t *testing.T) {
	server := start(t)
	others, client := patient(server.client()), server.client()
	create(t, others, record("user", "a"))
	overtaken := 0
	hold(client, "cas", func() {
		overtaken++
		check(others.Touch(context.Background(), "user", "a", store.Touch{SeenAt: time.Now()}))
	})
	st := memcachestore.New(client)
	st.Timeout = 100 * time.Millisecond
	_, err := st.Revoke(t.Context(), "user", "a", store.Revocation{})
	if !errors.Is(err, context.DeadlineExceeded) || overtaken < 2 {
		t.Fatalf("Revoke that was overtaken %d times: %v", overtaken, err)
	}
	wantError(t, others, "user", "a", nil)
}

func TestStoreStalls(t *testing.T) {
	server := start(t)
	client := server.client()
	client.Timeout = 100 * time.Millisecond
	st := memcachestore.New(client)
	visitors := memcachestore.NewVisitors(client)
	server.Signal(syscall.SIGSTOP)
	defer server.Signal(syscall.SIGCONT)
	var wg sync.WaitGroup
	for name, call := range map[string]func() error{
		"Create": func() error {
			_, err := st.Create(t.Context(), record("user", "a"), store.Limit{})
			return err
		},
		"Find":            func() error { _, err := st.Find(t.Context(), "user", "a"); return err },
		"Update":          func() error { return st.Update(t.Context(), record("user", "a"), store.Hash{}) },
		"Touch":           func() error { return st.Touch(t.Context(), "user", "a", store.Touch{}) },
		"List":            func() error { _, err := st.List(t.Context(), "user"); return err },
		"Revoke":          func() error { _, err := st.Revoke(t.Context(), "user", "a", store.Revocation{}); return err },
		"RevokeAll":       func() error { _, err := st.RevokeAll(t.Context(), "user", "", store.Revocation{}); return err },
		"RevokeEveryone":  func() error { return st.RevokeEveryone(t.Context()) },
		"RevokedEveryone": func() error { _, err := st.RevokedEveryone(t.Context()); return err },
		"Visitors.Find":   func() error { _, _, err := visitors.Find("token"); return err },
		"Visitors.Commit": func() error { return visitors.Commit("token", nil, time.Now().Add(time.Hour)) },
		"Visitors.Delete": func() error { return visitors.Delete("token") },
	} {
		wg.Go(func() {
			err := call()
			if err == nil || !strings.HasPrefix(err.Error(), "memcachestore: ") {
				t.Errorf("%s on a server that stalls: %v", name, err)
			}
			for _, answer := range []error{store.ErrNotFound, store.ErrRevoked, store.ErrStale, store.ErrExists, store.ErrActorRevoked} {
				if errors.Is(err, answer) {
					t.Errorf("%s on a server that stalls returned an answer: %v", name, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestStoreDoesNotReadOtherVersions(t *testing.T) {
	server := start(t)
	client := server.client()
	st := patient(client)
	create(t, st, record("user", "a"))
	for _, item := range server.items() {
		check(client.Set(&memcache.Item{Key: item.key, Value: []byte{9}}))
	}
	if _, err := st.Find(t.Context(), "user", "a"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Fatalf("Find in a generation of another version: %v", err)
	}
	if err := st.RevokeEveryone(t.Context()); err == nil {
		t.Fatal("RevokeEveryone in a generation of another version returned no error")
	}
	check(client.Delete("revoke:everyone"))
	check(st.RevokeEveryone(t.Context()))
}

// What goes must not go before its session does, nor stay long after.
func TestStoreItemsExpire(t *testing.T) {
	const day = 24 * time.Hour
	never := time.Duration(-1)
	for lifetime, want := range map[time.Duration]time.Duration{
		-time.Hour: 0, time.Hour: time.Hour, 29 * day: 29 * day, 30*day - time.Second: 30 * day, 30 * day: 30 * day,
		30*day + time.Second: 30 * day, 31 * day: 31 * day, 400 * day: 400 * day, 40 * 365 * day: never, 290 * 365 * day: never,
	} {
		t.Run(lifetime.String(), func(t *testing.T) {
			t.Parallel()
			server := start(t)
			st := patient(server.client())
			r := record("user", "a")
			r.ExpiresAt = time.Now().Add(lifetime)
			create(t, st, r)
			if lifetime > 0 {
				wantError(t, st, "user", "a", nil)
			}
			for _, item := range server.items() {
				left := never
				if item.expires != -1 {
					left = time.Until(time.Unix(item.expires, 0))
				}
				switch {
				case item.key == "revoke:everyone":
					if left != never {
						t.Errorf("the generation expires in %v", left)
					}
				case want == never || left == never:
					if left != want {
						t.Errorf("the item expires in %v, want %v", left, want)
					}
				case left < lifetime-2*time.Second || left > want+20*time.Second:
					t.Errorf("the item expires in %v, want %v", left, want)
				}
			}
		})
	}
}

func TestStoreChecksItsPrefix(t *testing.T) {
	for _, prefix := range []string{"a b", strings.Repeat("a", 240), "\x00"} {
		st := patient(start(t).client())
		st.Prefix = prefix
		if _, err := st.Create(t.Context(), record("user", "a"), store.Limit{}); !errors.Is(err, memcache.ErrMalformedKey) {
			t.Errorf("Create under the prefix %q: %v", prefix, err)
		}
	}
}

func BenchmarkStore(b *testing.B) {
	st := patient(start(b).client())
	ctx := b.Context()
	r := record("user", "0")
	for i := range 10 {
		create(b, st, record("user", fmt.Sprint(i)))
	}
	b.Run("Find", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(st.Find(ctx, "user", "0"))
		}
	})
	b.Run("Update", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			check(st.Update(ctx, r, r.Secret))
		}
	})
}

// patient returns a store that waits for a server which is busy with other tests.
func patient(client *memcache.Client) *memcachestore.Store {
	st := memcachestore.New(client)
	st.Timeout = time.Minute
	return st
}

func record(user, id string) store.Record {
	now := time.Now()
	return store.Record{
		User: user, ID: id, Secret: store.HashSecret(id), CreatedAt: now, SeenAt: now, ProvedAt: now,
		ExpiresAt: now.Add(12 * time.Hour), Client: []byte("203.0.113.7 Firefox on Linux"), Data: make([]byte, 200),
	}
}

// after returns r as if the sign-in began after all marks.
func after(r store.Record) store.Record {
	r.CreatedAt = r.CreatedAt.Add(time.Hour)
	return r
}

func create(tb testing.TB, st store.Store, r store.Record) {
	tb.Helper()
	if _, err := st.Create(tb.Context(), r, store.Limit{}); err != nil {
		tb.Fatalf("Create of %q: %v", r.ID, err)
	}
}

func wantError(tb testing.TB, st store.Store, user, id string, want error) {
	tb.Helper()
	if _, err := st.Find(tb.Context(), user, id); !errors.Is(err, want) {
		tb.Fatalf("Find of %q of %q returned the error %v, want %v", id, user, err, want)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}
