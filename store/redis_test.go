package store_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
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
	session := secret + created + expires + never + seen + never
	renewed := secret + created + expires + deadline + seen + never
	wantFields(t, server, "revoke:user", map[string]string{
		"s:one":   "1" + session + "the client",
		"d:one":   "the data",
		"s:three": "2" + renewed + secret + seen + never,
		"o:three": "1" + deadline,
		"t:two":   "1" + secret + created + expires + revoked + "3:one100 % sure\n",
		"t:t:\n:": "2" + secret + created + "066238052645000006" + "066237966245000006" + secret + "0:-",
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
