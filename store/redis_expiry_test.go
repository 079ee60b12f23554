package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

func TestRedisKeyExpires(t *testing.T) {
	const day = 24 * time.Hour
	ctx := t.Context()
	lasting := func(id string, d time.Duration) store.Record {
		r := record("user", id)
		r.ExpiresAt = time.Now().Add(d)
		return r
	}
	for _, test := range []struct {
		name string
		do   func(st store.Store)
		want time.Duration
	}{
		{"with its session", func(st store.Store) {
			must(st.Create(ctx, lasting("a", 30*day), store.Limit{}))
		}, 30 * day},
		{"with the last of its sessions", func(st store.Store) {
			must(st.Create(ctx, lasting("a", 30*day), store.Limit{}))
			must(st.Create(ctx, lasting("b", day), store.Limit{}))
		}, 30 * day},
		{"when Touch says", func(st store.Store) {
			must(st.Create(ctx, lasting("a", day), store.Limit{}))
			check(st.Touch(ctx, "user", "a", store.Touch{ExpiresAt: time.Now().Add(2 * day)}))
		}, 2 * day},
		{"when Update says", func(st store.Store) {
			r := lasting("a", day)
			must(st.Create(ctx, r, store.Limit{}))
			r.ExpiresAt = r.ExpiresAt.Add(2 * day)
			check(st.Update(ctx, r, r.Secret))
		}, 3 * day},
		{"a day after a long session was revoked", func(st store.Store) {
			must(st.Create(ctx, lasting("a", 30*day), store.Limit{}))
			must(st.Revoke(ctx, "user", "a", store.Revocation{}))
		}, day},
		{"with what is left after the longest session was revoked", func(st store.Store) {
			must(st.Create(ctx, lasting("a", 30*day), store.Limit{}))
			must(st.Create(ctx, lasting("b", 20*day), store.Limit{}))
			must(st.Create(ctx, lasting("c", 10*day), store.Limit{}))
			must(st.Revoke(ctx, "user", "a", store.Revocation{}))
		}, 20 * day},
		{"as before after another session was revoked", func(st store.Store) {
			must(st.Create(ctx, lasting("a", 30*day), store.Limit{}))
			must(st.Create(ctx, lasting("b", 20*day), store.Limit{}))
			must(st.Revoke(ctx, "user", "b", store.Revocation{}))
		}, 30 * day},
		{"with the session that RevokeAll keeps", func(st store.Store) {
			must(st.Create(ctx, lasting("a", 30*day), store.Limit{}))
			must(st.Create(ctx, lasting("b", 20*day), store.Limit{}))
			must(st.RevokeAll(ctx, "user", "b", store.Revocation{}))
		}, 20 * day},
		{"at once where nothing is left", func(st store.Store) {
			must(st.Create(ctx, lasting("a", 30*day), store.Limit{}))
			must(st.RevokeAll(ctx, "user", "", store.Revocation{At: time.Now().Add(-day)}))
		}, 0},
		{"at once where a session has expired before it is created", func(st store.Store) {
			must(st.Create(ctx, lasting("a", -time.Second), store.Limit{}))
		}, 0},
		{"with others where a session has expired before it is created", func(st store.Store) {
			must(st.Create(ctx, lasting("a", day), store.Limit{}))
			must(st.Create(ctx, lasting("b", -time.Second), store.Limit{}))
		}, day},
		{"in 250 years", func(st store.Store) {
			must(st.Create(ctx, lasting("a", 250*365*day), store.Limit{}))
		}, 250 * 365 * day},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := redistest.Start(t)
			test.do(patient(server.Pool()))
			for deadline := time.Now().Add(10 * time.Second); test.want == 0 && server.Real && time.Now().Before(deadline); {
				if server.Do("EXISTS", "revoke:user") == int64(0) {
					return
				}
			}
			got := time.Duration(must(redis.Int64(server.Do("PTTL", "revoke:user"), nil))) * time.Millisecond
			if test.want == 0 && !server.Real {
				return // miniredis has no clock of its own
			}
			if d := (got - test.want).Abs(); d > time.Minute || test.want == 0 {
				t.Fatalf("the key expires in %v, want %v", got, test.want)
			}
		})
	}
}

func TestRedisKeepsASessionOfAnyLength(t *testing.T) {
	for _, expires := range []time.Time{time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(31688, 12, 31, 0, 0, 0, 0, time.UTC), time.Unix(1<<62, 1)} {
		server := redistest.Start(t)
		st := patient(server.Pool())
		r := record("user", "a")
		r.ExpiresAt = expires
		must(st.Create(t.Context(), r, store.Limit{}))
		if r := must(st.Find(t.Context(), "user", "a")); !r.ExpiresAt.Equal(expires) && expires.Year() < 40_000 {
			t.Fatalf("the session expires at %v, want %v", r.ExpiresAt, expires)
		}
	}
}

func TestRedisSweepsExpiredSessions(t *testing.T) {
	ctx := t.Context()
	// Of 150 fields of sessions and tombstones that have expired, a limit leaves
	// none of the sessions, and chance some of all.
	for limit, most := range map[int]int{0: 100, 1000: 50} {
		t.Run(fmt.Sprint("with the limit ", limit), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			st := patient(server.Pool())
			for i := range 100 {
				r := record("user", fmt.Sprint("short", i))
				must(st.Create(ctx, r, store.Limit{}))
				if i%2 == 0 {
					soon := time.Now().Add(50 * time.Millisecond)
					must(st.Revoke(ctx, "user", r.ID, store.Revocation{At: soon.Add(-store.TombstoneLifetime)}))
				} else {
					r.ExpiresAt = time.Now()
					check(st.Update(ctx, r, r.Secret))
				}
			}
			time.Sleep(60 * time.Millisecond)
			for i := range 60 {
				must(st.Create(ctx, record("user", fmt.Sprint(i)), store.Limit{Max: limit}))
			}
			if n := must(redis.Int(server.Do("HLEN", "revoke:user"), nil)); n > 2*60+1+most {
				t.Fatalf("60 sessions take %d fields", n)
			}
			if n := len(must(st.List(ctx, "user"))); n != 60 {
				t.Fatalf("%d of 60 sessions are left", n)
			}
		})
	}
}

// A node whose clock is ahead ends nothing that is live elsewhere, and can revoke it.
func TestRedisGoesByItsOwnClock(t *testing.T) {
	pool := redistest.Start(t).Pool()
	ctx := context.Background()
	here := patient(pool)
	ids := []string{"revoked", "one of all", "of an acting session", "left alone", "renewed"}
	soon := time.Now().Add(30 * time.Minute)
	for _, id := range ids {
		r := record("user", id)
		r.ExpiresAt = soon
		must(here.Create(ctx, r, store.Limit{}))
	}
	synctest.Test(t, func(t *testing.T) { // in the year 2000
		time.Sleep(time.Until(soon.Add(time.Hour)))
		there := patient(pool)
		if _, err := there.Find(ctx, "user", "revoked"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Find by a clock that is ahead: %v", err)
		}
		for i := range 100 { // which deletes what has expired
			must(there.Create(ctx, record("user", fmt.Sprint(i)), store.Limit{Max: 1000}))
		}
		r := record("user", "renewed")
		r.ExpiresAt = soon.Add(2 * time.Hour)
		check(there.Update(ctx, r, r.Secret))
		check(there.Touch(ctx, "user", "left alone", store.Touch{SeenAt: time.Now()}))
		if was := must(there.Revoke(ctx, "user", "revoked", store.Revocation{By: "of an acting session"})); was.ID != "revoked" {
			t.Errorf("Revoke returned %q", was.ID)
		}
	})
	for _, id := range ids[1:] {
		must(here.Find(ctx, "user", id))
	}
	if n := len(must(here.List(ctx, "user"))); n != 104 {
		t.Errorf("%d of 104 sessions are left", n)
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(soon.Add(time.Hour)))
		if n := len(must(patient(pool).RevokeAll(ctx, "user", "left alone", store.Revocation{}))); n != 103 {
			t.Errorf("RevokeAll by a clock that is ahead ended %d of 103 sessions", n)
		}
	})
	must(here.Find(ctx, "user", "left alone"))

	// And a node whose clock is behind makes nothing last longer.
	r := record("user", "short")
	r.CreatedAt, r.ExpiresAt = time.Now().Add(3*time.Hour), time.Now().Add(10*time.Millisecond)
	must(here.Create(ctx, r, store.Limit{}))
	time.Sleep(20 * time.Millisecond)
	synctest.Test(t, func(t *testing.T) {
		r.ExpiresAt = soon
		if err := patient(pool).Update(ctx, r, r.Secret); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Update of an expired session by a clock that is behind: %v", err)
		}
	})
}
