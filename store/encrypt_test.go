package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
	"github.com/revoke-sessions/revoke/store/storetest"
)

func ExampleEncrypt() {
	secret := []byte("32 random bytes of the key store") // of a test, not of an application
	key, err := store.AESGCM("2026-05", secret)
	if err != nil {
		panic(err)
	}
	st, err := store.Encrypt(store.NewMemory(), key)
	if err != nil {
		panic(err)
	}

	ctx := context.Background()
	st.Create(ctx, store.Record{User: "ann", ID: "laptop", ExpiresAt: time.Now().Add(time.Hour), Data: []byte("diary")}, store.Limit{})
	there, _ := st.Unwrap().Find(ctx, "ann", "laptop")
	here, _ := st.Find(ctx, "ann", "laptop")
	fmt.Println(bytes.Contains(there.Data, []byte("diary")), string(here.Data))
	// Output: false diary
}

func TestEncrypted(t *testing.T) {
	key := newKey(t, "key")
	pool := redistest.Start(t).Pool()
	for _, c := range []struct {
		name string
		open func() store.Store
	}{
		{"memory", func() store.Store { return encrypted(t, store.NewMemory(), key) }},
		{"memory, plain in front", func() store.Store { return encrypted(t, store.NewMemory(), store.Plain, key) }},
		{"redis", func() store.Store { return encrypted(t, store.NewRedis(pool), key) }},
	} {
		t.Run(c.name, func(t *testing.T) { storetest.Run(t, c.open) })
	}
}

func newKey(t testing.TB, id string) store.Key {
	t.Helper()
	secret := make([]byte, 32)
	rand.Read(secret)
	key, err := store.AESGCM(id, secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encrypted(t testing.TB, st store.Store, keys ...store.Key) *store.Encrypted {
	t.Helper()
	e, err := store.Encrypt(st, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// hidden is what no inner store may see.
var hidden = []string{"203.0.113.7", "198.51.100.9", "Mozilla", "curl", "diary", "novel"}

func diary(user, id string) store.Record {
	now := time.Now().Truncate(time.Microsecond).UTC()
	return store.Record{
		User: user, ID: id, Secret: store.HashSecret("secret of " + id),
		CreatedAt: now, SeenAt: now, ProvedAt: now, ExpiresAt: now.Add(time.Hour),
		Client: []byte(`{"ip":"203.0.113.7","user_agent":"Mozilla/5.0"}`), Data: []byte("diary of " + user + " on " + id),
	}
}

var elsewhere = []byte(`{"ip":"198.51.100.9","user_agent":"curl/8.5.0"}`)

func signIn(t testing.TB, st store.Store, records ...store.Record) {
	t.Helper()
	for _, r := range records {
		if _, err := st.Create(t.Context(), r, store.Limit{}); err != nil {
			t.Fatalf("Create: %v", err)
		}
	}
}

func mustFind(t testing.TB, st store.Store, user, id string) store.Record {
	t.Helper()
	r, err := st.Find(t.Context(), user, id)
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	return r
}

// overwrite writes a record to a store as an intruder would.
func overwrite(t testing.TB, st store.Store, r store.Record) {
	t.Helper()
	was := mustFind(t, st, r.User, r.ID).Secret
	if err := st.Update(t.Context(), r, was); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func wantOpened(t testing.TB, st store.Store, want store.Record) {
	t.Helper()
	got := mustFind(t, st, want.User, want.ID)
	if !bytes.Equal(got.Client, want.Client) || !bytes.Equal(got.Data, want.Data) {
		t.Fatalf("Find returned the client %q and the data %q, want %q and %q", got.Client, got.Data, want.Client, want.Data)
	}
}

func wantFindError(t testing.TB, st store.Store, user, id string, want error) {
	t.Helper()
	r, err := st.Find(t.Context(), user, id)
	if !errors.Is(err, want) {
		t.Fatalf("Find returned the error %v, want %v", err, want)
	}
	if r.Client != nil || r.Data != nil || r.ID != "" {
		t.Fatalf("Find returned %+v with the error %v", r, err)
	}
}

// useAll has a store keep, change and end sessions in every way there is, and calls
// look after each.
func useAll(t *testing.T, st store.Store, look func(after string)) {
	t.Helper()
	must := func(call string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", call, err)
		}
		look(call)
	}
	a := diary("ann", "a")
	signIn(t, st, a, diary("ann", "b"), diary("ann", "c"))
	look("Create")
	a.Data, a.Client = []byte("novel by ann"), elsewhere
	must("Update", st.Update(t.Context(), a, a.Secret))
	must("Touch", st.Touch(t.Context(), "ann", "b", store.Touch{SeenAt: time.Now(), ExpiresAt: a.ExpiresAt, Client: elsewhere}))
	_, err := st.Create(t.Context(), diary("ann", "d"), store.Limit{Max: 3})
	must("Create that evicts", err)
	_, err = st.Revoke(t.Context(), "ann", "d", store.Revocation{})
	must("Revoke", err)
	_, err = st.RevokeAll(t.Context(), "ann", "b", store.Revocation{})
	must("RevokeAll", err)
}

func TestEncryptedHidesItsValuesFromMemory(t *testing.T) {
	inner := store.NewMemory()
	useAll(t, encrypted(t, inner, newKey(t, "key")), func(after string) {
		list, err := inner.List(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			r = mustFind(t, inner, "ann", r.ID)
			if seen := fmt.Sprintf("%q %s %s", fmt.Sprint(r), r.Client, r.Data); leaked(seen) != "" {
				t.Fatalf("after %s the inner store has %q", after, leaked(seen))
			}
		}
	})
}

func TestEncryptedHidesItsValuesFromRedis(t *testing.T) {
	server := redistest.Start(t)
	server.NeedReal(t)
	// Everything that the server has, as it would be sent to a replica and as it
	// would lie on disk.
	everything := func() string {
		var all strings.Builder
		keys, err := redis.Strings(server.Do("KEYS", "*"), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			fields, err := redis.Strings(server.Do("HGETALL", key), nil)
			if err != nil {
				t.Fatal(err)
			}
			dump, err := redis.String(server.Do("DUMP", key), nil)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&all, key, fields, dump)
		}
		return all.String()
	}
	found := ""
	useAll(t, store.NewRedis(server.Pool()), func(string) { found += leaked(everything()) })
	for _, secret := range hidden {
		if !strings.Contains(found, secret) {
			t.Fatalf("%q was not found without encryption either", secret)
		}
	}
	server.Do("FLUSHALL")
	useAll(t, encrypted(t, store.NewRedis(server.Pool()), newKey(t, "key")), func(after string) {
		if found := leaked(everything()); found != "" {
			t.Fatalf("after %s Redis has %q", after, found)
		}
	})
}

// leaked returns what of that is in a text.
func leaked(text string) string {
	var found []string
	for _, secret := range hidden {
		if strings.Contains(text, secret) {
			found = append(found, secret)
		}
	}
	return strings.Join(found, " ")
}

func TestEncryptedNeverRepeatsItself(t *testing.T) {
	inner := store.NewMemory()
	st := encrypted(t, inner, newKey(t, "key"))
	r := diary("ann", "a")
	signIn(t, st, r)
	seen := make(map[string]bool)
	for range 100 {
		overwrite(t, st, r)
		kept := mustFind(t, inner, "ann", "a")
		if seen[string(kept.Data)] || seen[string(kept.Client)] {
			t.Fatal("the same value was encrypted to the same bytes twice")
		}
		seen[string(kept.Data)], seen[string(kept.Client)] = true, true
	}
}

func TestEncryptedKeepsNothing(t *testing.T) {
	inner := store.NewMemory()
	for i, keys := range [][]store.Key{{newKey(t, "key")}, {{ID: "tink", AEAD: &tink{AEAD: newKey(t, "").AEAD}}}, {store.Plain, newKey(t, "key")}} {
		st := encrypted(t, inner, keys...)
		r := diary("ann", fmt.Sprint(i))
		r.Client, r.Data = nil, nil
		signIn(t, st, r)
		if err := st.Touch(t.Context(), "ann", r.ID, store.Touch{SeenAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if got := mustFind(t, st, "ann", r.ID); got.Client != nil || got.Data != nil {
			t.Errorf("Find returned the client %#v and the data %#v, want nil", got.Client, got.Data)
		}
	}
}

// What encryption adds to the finding of a session of some 250 bytes.
func BenchmarkEncryptedFind(b *testing.B) {
	pool := redistest.Start(b).Pool()
	for _, c := range []struct {
		name string
		st   store.Store
	}{{"memory", store.NewMemory()}, {"redis", store.NewRedis(pool)}} {
		r := diary("ann", "a")
		r.Client, r.Data = bytes.Repeat([]byte("c"), 150), bytes.Repeat([]byte("d"), 100)
		bench := func(st store.Store) func(b *testing.B) {
			return func(b *testing.B) {
				if err := st.RevokeEveryone(b.Context()); err != nil {
					b.Fatal(err)
				}
				signIn(b, st, r)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := st.Find(b.Context(), "ann", "a"); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
		b.Run(c.name+"/plain", bench(c.st))
		b.Run(c.name+"/encrypted", bench(encrypted(b, c.st, newKey(b, "key"))))
	}
}

// decorated is a store that only passes on.
type decorated struct{ store.Store }

func (d decorated) Unwrap() store.Store { return d.Store }

func TestEncryptsIsPassedOn(t *testing.T) {
	key := newKey(t, "key")
	memory := store.NewMemory()
	for name, test := range map[string]struct {
		st   store.Store
		want bool
	}{
		"memory":                    {memory, false},
		"decorated memory":          {decorated{memory}, false},
		"encrypted":                 {encrypted(t, memory, key), true},
		"decorated twice":           {decorated{decorated{encrypted(t, memory, key)}}, true},
		"encrypted and decorated":   {encrypted(t, decorated{memory}, key), true},
		"about to be encrypted":     {encrypted(t, memory, key, store.Plain), true},
		"ceasing to be encrypted":   {encrypted(t, memory, store.Plain, key), false},
		"plain around an encrypted": {encrypted(t, encrypted(t, memory, key), store.Plain, key), true},
	} {
		if got := store.Encrypts(test.st); got != test.want {
			t.Errorf("%s: Encrypts returned %v", name, got)
		}
	}
}
