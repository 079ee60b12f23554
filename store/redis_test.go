package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/mna/redisc"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/storetest"
)

func TestRedis(t *testing.T) {
	pool := redistest.Start(t).Pool()
	storetest.Run(t, func() store.Store { return patient(pool) })
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t, 3)
	cluster := clusterOf(t, nodes[0]) // and no Refresh: the store finds the others
	storetest.Run(t, func() store.Store { return patient(cluster) })

	t.Run("follows a slot to another node", func(t *testing.T) {
		st := patient(cluster)
		check(st.RevokeEveryone(t.Context())) // a slot that is empty can be moved as it is
		for i := range 20 {
			r := record(fmt.Sprint("user", i), "a")
			must(st.Create(t.Context(), r, store.Limit{}))
			key := "revoke:" + r.User
			slot := redisc.Slot(key)
			from, to := nodes[slot*3/redistest.Slots], nodes[(slot*3/redistest.Slots+1)%3]
			found := make(chan error)
			redistest.Move(t, slot, key, from, to, func() {
				go func() {
					got, err := st.Find(t.Context(), r.User, r.ID)
					if err == nil && got.Secret != r.Secret {
						err = errors.New("it is another session")
					}
					found <- err
				}()
				time.Sleep(time.Duration(i) * time.Millisecond)
			})
			if err := <-found; err != nil {
				t.Fatalf("Find while the slot moves: %v", err)
			}
			if _, err := st.RevokeAll(t.Context(), r.User, "", store.Revocation{}); err != nil {
				t.Fatalf("RevokeAll after the slot has moved: %v", err)
			}
		}
	})
	t.Run("needs EachNode to revoke everyone", func(t *testing.T) {
		st := patient(cluster)
		st.EachNode = nil
		if err := st.RevokeEveryone(t.Context()); err == nil {
			t.Fatal("RevokeEveryone that reaches one node of three returned no error")
		}
	})
}

// The comment on Redis promises operators this.
func TestRedisLayout(t *testing.T) {
	server := redistest.Start(t)
	st := patient(server.Pool())
	at := time.Date(2100, 1, 2, 3, 4, 5, 6007, time.UTC)
	r := store.Record{
		User: "user", ID: "one", Secret: store.HashSecret("secret"), CreatedAt: time.Unix(-1, 5e8),
		SeenAt: time.Unix(7, 0), ExpiresAt: at, Client: []byte("the client"), Data: []byte("the data"),
	}
	must(st.Create(t.Context(), r, store.Limit{}))
	r.ID, r.Client, r.Data = "two", nil, nil
	must(st.Create(t.Context(), r, store.Limit{}))
	r.Prev, r.RenewedAt = r.Secret, r.SeenAt
	r.ID = "t:\n:"
	must(st.Create(t.Context(), r, store.Limit{}))
	r.ID, r.Deadline = "three", at.Add(time.Hour)
	r.Once = r.Deadline
	must(st.Create(t.Context(), r, store.Limit{}))
	must(st.Revoke(t.Context(), "user", "t:\n:", store.Revocation{At: at.Add(-48 * time.Hour), Reason: "-"}))
	must(st.Revoke(t.Context(), "user", "two", store.Revocation{At: at.Add(-time.Hour), By: "one", Reason: "100 % sure\n"}))
	kept := must(redis.Values(server.Do("HMGET", "revoke:user", "s:three", "count"), nil)) // which RevokeAll would end
	server.Do("HDEL", "revoke:user", "s:three")
	must(st.RevokeAll(t.Context(), "user", "one", store.Revocation{At: at.Add(-time.Hour), Reason: "a reason", Until: r.Once}))
	server.Do("HSET", "revoke:user", "s:three", kept[0], "count", kept[1])

	const (
		never    = "000000000000000000"
		secret   = "+\xb8\rS{\x1d\xa3\xe3\x8b\xd3\x03a\xaa\x85V\x86\xbd\xe0\xea\xcdqb\xfe\xf6\xa2_\xe9{\xf5'\xa2["
		created  = "062135596799500000"
		seen     = "062135596807000000"
		expires  = "066238139045000006"
		deadline = "066238142645000006"
		revoked  = "066238135445000006"
	)
	session := secret + expires + never + created + seen + never
	renewed := secret + expires + deadline + created + seen + never
	wantFields(t, server, "revoke:user", map[string]string{
		"s:one":   "1" + session + "the client",
		"d:one":   "the data",
		"s:three": "2" + renewed + secret + seen + never,
		"o:three": "1" + deadline,
		"t:two":   "1" + secret + expires + created + revoked + "3:one100 % sure\n",
		"t:t:\n:": "2" + secret + "066238052645000006" + created + "066237966245000006" + secret + "0:-",
		"mark":    "1" + deadline + revoked + "0:a reason",
		"count":   "2",
		"order":   "1000002" + "066238052645000006" + revoked + "4:t:\n:,3:two,",
	})
	check(st.RevokeEveryone(t.Context()))
	everyone := must(redis.String(server.Do("GET", "revoke:"), nil))
	if micros, err := strconv.ParseInt(everyone, 10, 64); err != nil || len(everyone) != 18 || time.Since(time.UnixMicro(micros-62135596800e6)).Abs() > time.Minute {
		t.Errorf("everyone was revoked at %q", everyone)
	}
}

func wantFields(t *testing.T, server *redistest.Server, key string, want map[string]string) {
	t.Helper()
	got := must(redis.StringMap(server.Do("HGETALL", key), nil))
	if !maps.Equal(got, want) {
		t.Fatalf("%s has the fields\n%q, want\n%q", key, got, want)
	}
}

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

func TestRedisManySessions(t *testing.T) {
	ctx := t.Context()
	server := redistest.Start(t)
	st := patient(server.Pool())
	const many = 2600
	fill(t, server, st, "user", many)
	if list := must(st.List(ctx, "user")); len(list) != many {
		t.Fatalf("List returned %d sessions of %d", len(list), many)
	}
	if evicted := must(st.Create(ctx, record("user", "new"), store.Limit{Max: 1300})); len(evicted) != many+1-1300 {
		t.Fatalf("Create evicted %d sessions", len(evicted))
	}
	if revoked := must(st.RevokeAll(ctx, "user", "new", store.Revocation{By: "new"})); len(revoked) != 1299 {
		t.Fatalf("RevokeAll revoked %d sessions", len(revoked))
	}
	if n := must(redis.Int(server.Do("HLEN", "revoke:user"), nil)); n != 2+store.MaxTombstones+3 { // mark, count and order
		t.Fatalf("a session and its tombstones take %d fields", n)
	}
}

// An id may be used again when its tombstone has expired, and be revoked again.
func TestRedisTombstonesOfOneID(t *testing.T) {
	ctx := t.Context()
	server := redistest.Start(t)
	st := patient(server.Pool())
	for i := range 3 * store.MaxTombstones {
		must(st.Create(ctx, record("user", "again"), store.Limit{}))
		must(st.Revoke(ctx, "user", "again", store.Revocation{At: time.Now().Add(2*time.Millisecond - store.TombstoneLifetime)}))
		if i%5 == 0 {
			must(st.Create(ctx, record("user", fmt.Sprint(i)), store.Limit{}))
			must(st.Revoke(ctx, "user", fmt.Sprint(i), store.Revocation{}))
		}
		for _, err := st.Find(ctx, "user", "again"); errors.Is(err, store.ErrRevoked); _, err = st.Find(ctx, "user", "again") {
			time.Sleep(time.Millisecond)
		}
	}
	for i := 0; i < 3*store.MaxTombstones; i += 5 {
		if _, err := st.Find(ctx, "user", fmt.Sprint(i)); !errors.Is(err, store.ErrRevoked) {
			t.Fatalf("there are fewer than %d tombstones, and Find of one returned %v", store.MaxTombstones, err)
		}
	}
	if n := len(must(redis.Bytes(server.Do("HGET", "revoke:user", "order"), nil))); n > 2000 {
		t.Fatalf("the order of the tombstones takes %d bytes", n)
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

func TestRedisRevokesEveryoneUnderItsPrefix(t *testing.T) {
	for _, prefix := range []string{"", "a*", "a?:", "[ab]", "a\\", "a\\*", "]", "^", "é\n"} {
		t.Run(prefix, func(t *testing.T) {
			server := redistest.Start(t)
			st := patient(server.Pool())
			st.Prefix = prefix
			others := []string{"a", "ab", "axx:", "b", "abc:x", "\\", "a\\b", "revok", "revokE:", "x"}
			others = slices.DeleteFunc(others, func(key string) bool { return prefix != "" && strings.HasPrefix(key, prefix) })
			for _, key := range others {
				server.Do("SET", key, "another's")
			}
			for i := range 1100 {
				must(st.Create(t.Context(), record(fmt.Sprint("user", i), "a"), store.Limit{}))
				if prefix != "" && i == 10 { // once is enough to go through a thousand
					break
				}
			}
			check(st.RevokeEveryone(t.Context()))
			left := must(redis.Strings(server.Do("KEYS", "*"), nil))
			left = slices.DeleteFunc(left, func(key string) bool { return key == cmp.Or(prefix, "revoke:") }) // which is for good
			slices.Sort(left)
			slices.Sort(others)
			if !slices.Equal(left, others) {
				t.Fatalf("%d keys are left: %.200q, want %q", len(left), left, others)
			}
		})
	}
}

func TestRedisTakesOneRoundTrip(t *testing.T) {
	for _, n := range []int{1, 1000} {
		t.Run(fmt.Sprintf("with %d sessions", n), func(t *testing.T) {
			server := redistest.Start(t)
			proxy := redistest.NewProxy(t, server)
			st := patient(proxy.Pool())
			for _, m := range methods {
				check(m.call(t.Context(), st)) // from then on Redis knows the script
			}
			server.Do("FLUSHALL")
			fill(t, server, st, "user", n)
			for _, m := range methods[:len(methods)-1] {
				trips, commands := proxy.Count(func() { check(m.call(t.Context(), st)) })
				if trips != 1 || len(commands) != 1 {
					t.Errorf("%s took %d round trips: %q", m.name, trips, commands)
				}
			}
		})
	}
}

// methods calls each once, with success whatever is in the store.
var methods = []struct {
	name string
	call func(ctx context.Context, st store.Store) error
}{
	{"Find", func(ctx context.Context, st store.Store) error {
		_, err := st.Find(ctx, "user", "0")
		return but(err, store.ErrNotFound, store.ErrRevoked)
	}},
	{"List", func(ctx context.Context, st store.Store) error {
		_, err := st.List(ctx, "user")
		return err
	}},
	{"Create", func(ctx context.Context, st store.Store) error {
		_, err := st.Create(ctx, record("user", "created"), store.Limit{})
		return but(err, store.ErrExists, store.ErrRevoked)
	}},
	{"Create with a limit", func(ctx context.Context, st store.Store) error {
		_, err := st.Create(ctx, record("user", "limited"), store.Limit{Max: 500})
		return but(err, store.ErrExists, store.ErrRevoked)
	}},
	{"Update", func(ctx context.Context, st store.Store) error {
		return but(st.Update(ctx, record("user", "0"), record("user", "0").Secret), store.ErrNotFound, store.ErrRevoked)
	}},
	{"Touch", func(ctx context.Context, st store.Store) error {
		return but(st.Touch(ctx, "user", "0", store.Touch{SeenAt: time.Now()}), store.ErrNotFound, store.ErrRevoked)
	}},
	{"Revoke", func(ctx context.Context, st store.Store) error {
		_, err := st.Revoke(ctx, "user", "0", store.Revocation{})
		return but(err, store.ErrNotFound)
	}},
	{"RevokeAll", func(ctx context.Context, st store.Store) error {
		_, err := st.RevokeAll(ctx, "user", "created", store.Revocation{})
		return err
	}},
	{"RevokeEveryone", func(ctx context.Context, st store.Store) error {
		return st.RevokeEveryone(ctx)
	}},
}

func but(err error, allowed ...error) error {
	for _, a := range allowed {
		if errors.Is(err, a) {
			return nil
		}
	}
	return err
}

func BenchmarkRedis(b *testing.B) {
	server := redistest.Start(b)
	server.NeedReal(b)
	pool := server.Pool()
	st := patient(pool)
	server.Do("SET", "bytes", make([]byte, 200))
	bare := func(b *testing.B) {
		for b.Loop() {
			conn := pool.Get()
			must(redis.DoWithTimeout(conn, time.Second, "GET", "bytes"))
			conn.Close()
		}
	}
	b.Run("GET", bare)
	for _, n := range []int{1, 100_000} {
		b.Run(fmt.Sprint("sessions=", n), func(b *testing.B) {
			ctx := b.Context()
			server.Do("FLUSHALL")
			fill(b, server, st, "user", n)
			next := 0
			create := func() string {
				next++
				id := fmt.Sprintf("session-%014d", next)
				must(st.Create(ctx, record("user", id), store.Limit{}))
				return id
			}
			r := record("user", "0")
			for _, op := range []struct {
				name string
				call func()
			}{
				{"Find", func() { must(st.Find(ctx, "user", "0")) }},
				{"Update", func() { check(st.Update(ctx, r, r.Secret)) }},
				{"Touch", func() {
					check(st.Touch(ctx, "user", "0", store.Touch{SeenAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}))
				}},
				{"CreateAndRevoke", func() { must(st.Revoke(ctx, "user", create(), store.Revocation{})) }},
				{"Create", func() { create() }},
			} {
				b.Run(op.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						op.call()
					}
				})
			}
			server.Do("FLUSHALL")
			fill(b, server, st, "user", n)
			b.Run("List", func(b *testing.B) {
				for b.Loop() {
					if list := must(st.List(ctx, "user")); len(list) != n {
						b.Fatalf("List returned %d sessions of %d", len(list), n)
					}
				}
			})
		})
	}
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint("RevokeAll=", n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				server.Do("FLUSHALL")
				fill(b, server, st, "user", n)
				b.StartTimer()
				if revoked := must(st.RevokeAll(b.Context(), "user", "", store.Revocation{})); len(revoked) != n {
					b.Fatalf("RevokeAll returned %d sessions of %d", len(revoked), n)
				}
			}
		})
	}
	b.Run("GET again", bare)
}

// patient returns a store that waits for a Redis which is busy with other tests,
// or is no Redis.
func patient(pool store.Pool) *store.Redis {
	st := store.NewRedis(pool)
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

// fill gives a user that many sessions, with the ids 0, 1 and so on, as Create
// would, but faster.
func fill(tb testing.TB, server *redistest.Server, st store.Store, user string, n int) {
	tb.Helper()
	must(st.Create(tb.Context(), record(user, "0"), store.Limit{}))
	key := "revoke:" + user
	fields := must(redis.StringMap(server.Do("HGETALL", key), nil))
	server.Do("HSET", key, "count", n)
	for i := 1; i < n; {
		args := []any{key}
		for ; i < n && len(args) < 6000; i++ {
			id := fmt.Sprint(i)
			args = append(args, "s:"+id, fields["s:0"], "d:"+id, fields["d:0"])
		}
		server.Do("HSET", args...)
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
