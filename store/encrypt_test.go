package store_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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

// What an intruder who can write to the inner store does to the session "a" of
// ann. He knows it as it was before a renewal, and another, "b", and one of eve.
var tamperings = []struct {
	name   string
	tamper func(a *store.Record, first, b, eve store.Record)
}{
	{"data of another session", func(a *store.Record, _, b, _ store.Record) { a.Data = b.Data }},
	{"client of another session", func(a *store.Record, _, b, _ store.Record) { a.Client = b.Client }},
	{"data of another user", func(a *store.Record, _, _, eve store.Record) { a.Data = eve.Data }},
	{"client of another user", func(a *store.Record, _, _, eve store.Record) { a.Client = eve.Client }},
	{"client as data", func(a *store.Record, _, _, _ store.Record) { a.Data = a.Client }},
	{"data as client", func(a *store.Record, _, _, _ store.Record) { a.Client = a.Data }},
	{"client and data exchanged", func(a *store.Record, _, _, _ store.Record) { a.Client, a.Data = a.Data, a.Client }},
	{"secret of another", func(a *store.Record, _, _, eve store.Record) { a.Secret = eve.Secret }},
	{"data from before a renewal", func(a *store.Record, first, _, _ store.Record) { a.Data = first.Data }},
	{"secret from before a renewal", func(a *store.Record, first, _, _ store.Record) { a.Secret = first.Secret }},
	{"secret of another, no data", func(a *store.Record, _, _, eve store.Record) { a.Secret, a.Data = eve.Secret, nil }},
	{"no data", func(a *store.Record, _, _, _ store.Record) { a.Data = nil }},
	{"no client", func(a *store.Record, _, _, _ store.Record) { a.Client = nil }},
	{"plain data", func(a *store.Record, _, _, _ store.Record) { a.Data = []byte("diary of eve") }},
	{"plain client", func(a *store.Record, _, _, _ store.Record) { a.Client = []byte(`{"ip":"198.51.100.9"}`) }},
	{"a byte more", func(a *store.Record, _, _, _ store.Record) { a.Data = append(a.Data, 0) }},
	{"a byte before", func(a *store.Record, _, _, _ store.Record) { a.Data = append([]byte{0}, a.Data...) }},
	{"data twice", func(a *store.Record, _, _, _ store.Record) { a.Data = append(a.Data, a.Data...) }},
}

func TestEncryptedFindsTampering(t *testing.T) {
	for name, inner := range map[string]store.Store{
		"memory": store.NewMemory(),
		"redis":  store.NewRedis(redistest.Start(t).Pool()),
	} {
		for _, c := range tamperings {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				if err := inner.RevokeEveryone(t.Context()); err != nil {
					t.Fatal(err)
				}
				st := encrypted(t, inner, newKey(t, "key"))
				a, b, eve := diary("ann", "a"), diary("ann", "b"), diary("eve", "a")
				signIn(t, st, a, b, eve)
				first := mustFind(t, inner, "ann", "a")
				a.Secret = store.HashSecret("renewed")
				overwrite(t, st, a)
				wantOpened(t, st, a)

				kept := mustFind(t, inner, "ann", "a")
				c.tamper(&kept, first, mustFind(t, inner, "ann", "b"), mustFind(t, inner, "eve", "a"))
				overwrite(t, inner, kept)
				wantFindError(t, st, "ann", "a", store.ErrTampered)
				wantOpened(t, st, b)
			})
		}
	}
}

func TestEncryptedTellsNamesApartThatSpellTheSame(t *testing.T) {
	inner := store.NewMemory()
	st := encrypted(t, inner, newKey(t, "key"))
	signIn(t, st, diary("ann", "ab"), diary("anna", "b"))
	from, to := mustFind(t, inner, "ann", "ab"), mustFind(t, inner, "anna", "b")
	to.Client = from.Client
	overwrite(t, inner, to)
	wantFindError(t, st, "anna", "b", store.ErrTampered)
}

func TestEncryptedFindsEveryChangedBitAndEveryCut(t *testing.T) {
	inner := store.NewMemory()
	st := encrypted(t, inner, newKey(t, "key"), newKey(t, "old"))
	signIn(t, st, diary("ann", "a"))
	kept := mustFind(t, inner, "ann", "a")
	for _, field := range []string{"client", "data"} {
		try := func(what string, at int, change func(value []byte) []byte) {
			t.Helper()
			changed := kept
			if field == "client" {
				changed.Client = change(bytes.Clone(kept.Client))
			} else {
				changed.Data = change(bytes.Clone(kept.Data))
			}
			overwrite(t, inner, changed)
			if _, err := st.Find(t.Context(), "ann", "a"); !errors.Is(err, store.ErrTampered) {
				t.Fatalf("%s, %s %d: Find returned the error %v", field, what, at, err)
			}
		}
		size := len(kept.Client)
		if field == "data" {
			size = len(kept.Data)
		}
		for i := range size {
			for bit := range 8 {
				try("byte changed", i, func(v []byte) []byte { v[i] ^= 1 << bit; return v })
			}
			try("cut after", i, func(v []byte) []byte { return v[:i] })
			try("cut before", i+1, func(v []byte) []byte { return v[i+1:] })
			try("byte missing", i, func(v []byte) []byte { return append(v[:i], v[i+1:]...) })
		}
	}
	overwrite(t, inner, kept)
	wantOpened(t, st, diary("ann", "a"))
}

// The limits that the comment on Encrypted states.
func TestEncryptedDoesNotFindWhatWasThereBefore(t *testing.T) {
	inner := store.NewMemory()
	st := encrypted(t, inner, newKey(t, "key"))
	before := diary("ann", "a")
	signIn(t, st, before)
	kept := mustFind(t, inner, "ann", "a")
	after := before
	after.Client, after.Data = elsewhere, []byte("novel by ann")
	overwrite(t, st, after)
	wantOpened(t, st, after)

	overwrite(t, inner, kept)
	wantOpened(t, st, before)
	kept.ExpiresAt = kept.ExpiresAt.Add(time.Hour)
	overwrite(t, inner, kept)
	wantOpened(t, st, before)
}

func TestTamperedSessionsAreListedAndRevoked(t *testing.T) {
	inner := store.NewMemory()
	damaged := func(t *testing.T) store.Store {
		st := encrypted(t, inner, newKey(t, "key"))
		signIn(t, st, diary("ann", "a"), diary("ann", "b"), diary("ann", "c"))
		for _, id := range []string{"a", "b"} {
			kept := mustFind(t, inner, "ann", id)
			kept.Client[len(kept.Client)-1] ^= 1
			kept.Data = []byte("rubbish")
			kept.SeenAt = kept.SeenAt.Add(-time.Minute)
			overwrite(t, inner, kept)
		}
		return st
	}
	check := func(t *testing.T, call string, got []store.Record, err error, want ...string) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", call, err)
		}
		var ids []string
		for _, r := range got {
			ids = append(ids, r.ID)
			client := diary("ann", r.ID).Client
			if r.ID != "c" {
				client = nil
			}
			if !bytes.Equal(r.Client, client) || (r.Client == nil) != (client == nil) || r.Data != nil {
				t.Errorf("%s: %q has the client %q and the data %q", call, r.ID, r.Client, r.Data)
			}
		}
		slices.Sort(ids)
		if !slices.Equal(ids, want) {
			t.Errorf("%s returned %q, want %q", call, ids, want)
		}
	}
	for _, c := range []struct {
		name string
		run  func(t *testing.T, st store.Store)
	}{
		{"List", func(t *testing.T, st store.Store) {
			list, err := st.List(t.Context(), "ann")
			check(t, "List", list, err, "a", "b", "c")
		}},
		{"Revoke", func(t *testing.T, st store.Store) {
			r, err := st.Revoke(t.Context(), "ann", "a", store.Revocation{By: "b", Reason: "damaged"})
			check(t, "Revoke", []store.Record{r}, err, "a")
			tombstone, err := st.Find(t.Context(), "ann", "a")
			if !errors.Is(err, store.ErrRevoked) || tombstone.Revoked == nil || tombstone.Revoked.Reason != "damaged" {
				t.Errorf("Find of a tombstone returned %+v and the error %v", tombstone, err)
			}
		}},
		{"RevokeAll", func(t *testing.T, st store.Store) {
			revoked, err := st.RevokeAll(t.Context(), "ann", "", store.Revocation{By: "a"})
			check(t, "RevokeAll", revoked, err, "a", "b", "c")
		}},
		{"Create that evicts", func(t *testing.T, st store.Store) {
			evicted, err := st.Create(t.Context(), diary("ann", "d"), store.Limit{Max: 1})
			check(t, "Create", evicted, err, "a", "b", "c")
		}},
		{"RevokeEveryone", func(t *testing.T, st store.Store) {
			if err := st.RevokeEveryone(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantFindError(t, st, "ann", "a", store.ErrNotFound)
		}},
		{"Touch and Update repair", func(t *testing.T, st store.Store) {
			r := diary("ann", "a")
			if err := st.Touch(t.Context(), "ann", "a", store.Touch{Client: elsewhere}); err != nil {
				t.Fatal(err)
			}
			wantFindError(t, st, "ann", "a", store.ErrTampered)
			if err := st.Update(t.Context(), r, r.Secret); err != nil {
				t.Fatal(err)
			}
			wantOpened(t, st, r)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := inner.RevokeEveryone(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.run(t, damaged(t))
		})
	}
}

// keysOf returns what the inner store's values are encrypted under.
func keysOf(t testing.TB, inner store.Store, id string) (client, data string) {
	t.Helper()
	r := mustFind(t, inner, "ann", id)
	name := func(value []byte) string {
		if rest, ok := bytes.CutPrefix(value, []byte("\xff\x00e1")); ok {
			return string(rest[1 : 1+rest[0]])
		}
		return "plain"
	}
	return name(r.Client), name(r.Data)
}

func wantKeys(t testing.TB, inner store.Store, id, client, data string) {
	t.Helper()
	if c, d := keysOf(t, inner, id); c != client || d != data {
		t.Fatalf("the client is encrypted under %q and the data under %q, want %q and %q", c, d, client, data)
	}
}

// Of two processes one is always a deployment behind the other. Each reads what
// the other writes, and in the end nothing needs the old key.
func TestKeysChangeWithoutSigningAnybodyOut(t *testing.T) {
	for _, names := range [][2]string{{"old", "new"}, {"plain", "new"}, {"old", "plain"}} {
		t.Run("from "+names[0]+" to "+names[1], func(t *testing.T) {
			key := func(name string) store.Key {
				if name == "plain" {
					return store.Plain
				}
				return newKey(t, name)
			}
			older, newer := key(names[0]), key(names[1])
			inner := store.NewMemory()
			open := func(keys ...store.Key) store.Store {
				if len(keys) == 1 && keys[0] == store.Plain {
					return inner
				}
				return encrypted(t, inner, keys...)
			}
			stages := []store.Store{open(older), open(older, newer), open(newer, older), open(newer)}

			r := diary("ann", "a")
			signIn(t, stages[0], r)
			for i, ahead := range stages[1:3] {
				behind := stages[i]
				for _, pair := range [][2]store.Store{{ahead, behind}, {behind, ahead}} {
					r.Data = fmt.Appendf(nil, "diary, entry %d", i)
					overwrite(t, pair[0], r)
					wantOpened(t, pair[1], r)
					if err := pair[0].Touch(t.Context(), "ann", "a", store.Touch{Client: elsewhere}); err != nil {
						t.Fatal(err)
					}
					r.Client = elsewhere
					wantOpened(t, pair[1], r)
				}
			}

			overwrite(t, stages[1], r)
			wantKeys(t, inner, "a", names[0], names[0])
			if err := stages[2].Touch(t.Context(), "ann", "a", store.Touch{}); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, inner, "a", names[0], names[0])
			if err := stages[2].Touch(t.Context(), "ann", "a", store.Touch{Client: r.Client}); err != nil {
				t.Fatal(err)
			}
			wantKeys(t, inner, "a", names[1], names[0])
			wantOpened(t, stages[2], r)
			overwrite(t, stages[2], r)
			wantKeys(t, inner, "a", names[1], names[1])
			wantOpened(t, stages[2], r)
			wantOpened(t, stages[3], r)
		})
	}
}

// What applications have kept in Data and Client before.
var plainValues = map[string][]byte{
	"JSON": []byte(`{"ip":"203.0.113.7"}`), "CBOR": {0xa1, 0x61, 'a', 0x01}, "CBOR undefined": {0xf7},
	"gob": {0x0e, 0xff, 0x81, 0x04}, "gob, long": {0xff, 0x80, 0xff, 0x81}, "gob, longer": {0xfe, 0x01, 0x00},
	"text": []byte("diary"), "nothing": nil, "a zero": {0}, "0xFF": {0xff}, "half of the magic": {0xff, 0x00},
}

func TestPlainValuesAreReadOnlyWhereAskedFor(t *testing.T) {
	key := newKey(t, "key")
	for name, value := range plainValues {
		t.Run(name, func(t *testing.T) {
			inner := store.NewMemory()
			r := diary("ann", "a")
			r.Client, r.Data = value, value
			signIn(t, inner, r)
			wantOpened(t, encrypted(t, inner, key, store.Plain), r)
			wantOpened(t, encrypted(t, inner, store.Plain, key), r)
			strict := encrypted(t, inner, key)
			wantFindError(t, strict, "ann", "a", store.ErrTampered)
			list, err := strict.List(t.Context(), "ann")
			if err != nil || len(list) != 1 || list[0].Client != nil {
				t.Fatalf("List returned %+v and the error %v", list, err)
			}
		})
	}
}

func TestPlainKeyWritesNothingThatReadsAsEncrypted(t *testing.T) {
	inner := store.NewMemory()
	st := encrypted(t, inner, store.Plain, newKey(t, "key"))
	r := diary("ann", "a")
	r.Data = []byte("\xff\x00e1 by chance")
	if _, err := st.Create(t.Context(), r, store.Limit{}); err == nil {
		t.Fatal("Create of data that begins like an encrypted value returned no error")
	}
	wantFindError(t, inner, "ann", "a", store.ErrNotFound)
}

func TestUnknownKey(t *testing.T) {
	inner := store.NewMemory()
	dropped, key := newKey(t, "dropped"), newKey(t, "key")
	r := diary("ann", "a")
	signIn(t, encrypted(t, inner, dropped), r)
	for _, keys := range [][]store.Key{{key}, {key, store.Plain}, {store.Plain, key}, {newKey(t, "drop")}, {newKey(t, "dropped2")}} {
		st := encrypted(t, inner, keys...)
		wantFindError(t, st, "ann", "a", store.ErrUnknownKey)
		wantFindError(t, st, "ann", "a", store.ErrTampered)
	}
	wantOpened(t, encrypted(t, inner, key, dropped), r)

	_, err := encrypted(t, inner, newKey(t, "dropped")).Find(t.Context(), "ann", "a")
	if !errors.Is(err, store.ErrTampered) || errors.Is(err, store.ErrUnknownKey) {
		t.Errorf("Find with another key of the same ID returned the error %v", err)
	}
}

func TestEncryptRefusesKeys(t *testing.T) {
	a, b := newKey(t, "a"), newKey(t, "b")
	long := strings.Repeat("k", 255)
	for _, c := range []struct {
		name string
		keys []store.Key
		ok   bool
	}{
		{"none", nil, false},
		{"one", []store.Key{a}, true},
		{"two", []store.Key{a, b}, true},
		{"the same twice", []store.Key{a, a}, false},
		{"two of one ID", []store.Key{a, b, newKey(t, "a")}, false},
		{"no ID", []store.Key{{AEAD: a.AEAD}}, false},
		{"no AEAD", []store.Key{{ID: "a"}}, false},
		{"the zero key", []store.Key{a, {}}, false},
		{"the longest ID", []store.Key{{ID: long, AEAD: a.AEAD}}, true},
		{"too long an ID", []store.Key{{ID: long + "k", AEAD: a.AEAD}}, false},
		{"plain only", []store.Key{store.Plain}, false},
		{"plain twice", []store.Key{a, store.Plain, store.Plain}, false},
		{"plain with an ID", []store.Key{a, {ID: "plain", AEAD: store.Plain.AEAD}}, false},
		{"plain and one", []store.Key{store.Plain, a}, true},
	} {
		inner := store.NewMemory()
		st, err := store.Encrypt(inner, c.keys...)
		if (err == nil) != c.ok {
			t.Errorf("%s: the error is %v", c.name, err)
		}
		if err != nil {
			continue
		}
		signIn(t, st, diary("ann", "a"))
		wantOpened(t, st, diary("ann", "a"))
		if st.Unwrap() != inner {
			t.Errorf("%s: Unwrap does not return the inner store", c.name)
		}
	}
}

func TestAESGCMTakesOnly32Bytes(t *testing.T) {
	for n := range 100 {
		key, err := store.AESGCM("key", make([]byte, n))
		if (err == nil) != (n == 32) || (err != nil && key != store.Key{}) {
			t.Errorf("AESGCM with %d bytes returned %v and the error %v", n, key, err)
		}
	}
}

// What has been written must be read for ever: the format, spelled out.
func TestEncryptedFormat(t *testing.T) {
	secret := []byte("32 random bytes of the key store")
	block, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	seal := func(value, place string) []byte {
		const header, nonce = "\xff\x00e1" + "\x072026-05", "twelve bytes"
		return gcm.Seal([]byte(header+nonce), []byte(nonce), []byte(value), []byte("\xff\x00e1"+place))
	}
	inner := store.NewMemory()
	r := diary("ann", "laptop")
	r.Client = seal("client", "\x06client"+"\x03ann"+"\x06laptop")
	r.Data = seal("data", "\x04data"+"\x03ann"+"\x06laptop"+"\x20"+string(r.Secret[:]))
	signIn(t, inner, r)

	key, err := store.AESGCM("2026-05", secret)
	if err != nil {
		t.Fatal(err)
	}
	r.Client, r.Data = []byte("client"), []byte("data")
	wantOpened(t, encrypted(t, inner, key), r)
}

// A tink has the methods of a Tink primitive: a prefix of its own, and an error
// while the service that keeps its key is away.
type tink struct {
	store.AEAD
	away bool
}

var errAway = errors.New("the key service is away")

func (k *tink) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	if k.away {
		return nil, errAway
	}
	sealed, err := k.AEAD.Encrypt(plaintext, associatedData)
	return append([]byte("\x01tink"), sealed...), err
}

func (k *tink) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	sealed, ok := bytes.CutPrefix(ciphertext, []byte("\x01tink"))
	if !ok || k.away {
		return nil, errAway
	}
	return k.AEAD.Decrypt(sealed, associatedData)
}

func TestAnyAEADFits(t *testing.T) {
	inner := store.NewMemory()
	primitive := &tink{AEAD: newKey(t, "").AEAD}
	st := encrypted(t, inner, store.Key{ID: "tink", AEAD: primitive}, newKey(t, "old"))
	r := diary("ann", "a")
	signIn(t, st, r, diary("ann", "b"))
	wantOpened(t, st, r)
	kept := mustFind(t, inner, "ann", "a")

	primitive.away = true
	if _, err := st.Create(t.Context(), diary("ann", "c"), store.Limit{Max: 1}); !errors.Is(err, errAway) {
		t.Errorf("Create returned the error %v", err)
	}
	if err := st.Update(t.Context(), r, r.Secret); !errors.Is(err, errAway) {
		t.Errorf("Update returned the error %v", err)
	}
	if err := st.Touch(t.Context(), "ann", "a", store.Touch{Client: elsewhere}); !errors.Is(err, errAway) {
		t.Errorf("Touch returned the error %v", err)
	}
	wantOpened(t, inner, kept)
	wantFindError(t, inner, "ann", "c", store.ErrNotFound)
	if err := st.Touch(t.Context(), "ann", "a", store.Touch{SeenAt: time.Now()}); err != nil {
		t.Errorf("Touch without a client returned the error %v", err)
	}
	wantFindError(t, st, "ann", "a", store.ErrTampered)
	wantFindError(t, st, "ann", "a", errAway)
	if _, err := st.Revoke(t.Context(), "ann", "a", store.Revocation{By: "b"}); err != nil {
		t.Errorf("Revoke returned the error %v", err)
	}
	if revoked, err := st.RevokeAll(t.Context(), "ann", "", store.Revocation{}); err != nil || len(revoked) != 1 {
		t.Errorf("RevokeAll returned %d sessions and the error %v", len(revoked), err)
	}
}

func TestEncryptedAtOnce(t *testing.T) {
	inner := store.NewMemory()
	older, newer := newKey(t, "old"), newKey(t, "new")
	stores := []store.Store{encrypted(t, inner, older, newer), encrypted(t, inner, newer, older)}
	r := diary("ann", "a")
	signIn(t, stores[0], r)
	var all sync.WaitGroup
	for i := range 8 {
		st := stores[i%2]
		all.Go(func() {
			for n := range 200 {
				mine := diary("ann", fmt.Sprint(i, " ", n))
				r := r
				r.Data = fmt.Appendf(nil, "diary, entry %d", n)
				_, err1 := st.Create(t.Context(), mine, store.Limit{})
				err2 := st.Update(t.Context(), r, r.Secret)
				err3 := st.Touch(t.Context(), "ann", "a", store.Touch{Client: elsewhere})
				got, err4 := st.Find(t.Context(), "ann", "a")
				if err := errors.Join(err1, err2, err3, err4); err != nil {
					t.Error(err)
					return
				}
				if !bytes.HasPrefix(got.Data, []byte("diary, entry ")) || !bytes.HasPrefix(got.Client, []byte(`{"ip":`)) {
					t.Errorf("Find returned the client %q and the data %q", got.Client, got.Data)
				}
				if ended, err := st.Revoke(t.Context(), "ann", mine.ID, store.Revocation{}); err != nil || !bytes.Equal(ended.Client, mine.Client) {
					t.Errorf("Revoke returned %+v and the error %v", ended, err)
				}
			}
		})
	}
	all.Wait()
}

// No bytes make Find panic, and none but those that were stored open.
func FuzzDecrypt(f *testing.F) {
	inner := store.NewMemory()
	key := newKey(f, "key")
	strict, lenient := encrypted(f, inner, key), encrypted(f, inner, key, store.Plain)
	r := diary("ann", "a")
	r.ExpiresAt = r.ExpiresAt.AddDate(1, 0, 0)
	signIn(f, strict, r)
	kept := mustFind(f, inner, "ann", "a")

	for _, value := range plainValues {
		f.Add(value)
	}
	f.Add(kept.Data)
	f.Add(kept.Client)
	f.Add(kept.Data[:8])
	f.Add([]byte("\xff\x00e1"))
	f.Add([]byte("\xff\x00e1\x00"))
	f.Add([]byte("\xff\x00e1\x03key"))
	f.Add([]byte("\xff\x00e1\xffkey"))
	f.Add([]byte("\xff\x00e2\x03key and so on"))
	f.Fuzz(func(t *testing.T, value []byte) {
		changed := kept
		for _, field := range []*[]byte{&changed.Client, &changed.Data} {
			changed = kept
			same := bytes.Equal(*field, value)
			*field = value
			overwrite(t, inner, changed)
			_, err := strict.Find(t.Context(), "ann", "a")
			if same != (err == nil) || (err != nil && !errors.Is(err, store.ErrTampered)) {
				t.Fatalf("Find of %q returned the error %v", value, err)
			}
			_, err = lenient.Find(t.Context(), "ann", "a")
			isPlain := !bytes.HasPrefix(value, []byte("\xff\x00e1"))
			if (same || isPlain) != (err == nil) || (err != nil && !errors.Is(err, store.ErrTampered)) {
				t.Fatalf("Find of %q, plain values allowed, returned the error %v", value, err)
			}
			list, err := strict.List(t.Context(), "ann")
			if err != nil || len(list) != 1 {
				t.Fatalf("List returned %d sessions and the error %v", len(list), err)
			}
		}
	})
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

// A renewal binds the data to the new secret, and who still has the old one is given
// data that opens.
func TestEncryptedRenewal(t *testing.T) {
	inner := store.NewMemory()
	st := encrypted(t, inner, newKey(t, "key"))
	r := diary("ann", "a")
	signIn(t, st, r)
	before := mustFind(t, inner, "ann", "a")
	was := r.Secret
	r.Prev, r.Secret, r.RenewedAt = was, store.HashSecret("renewed"), time.Now()
	if err := st.Update(t.Context(), r, was); err != nil {
		t.Fatal(err)
	}
	got := mustFind(t, st, "ann", "a")
	if got.Prev != was || string(got.Data) != string(r.Data) {
		t.Errorf("after a renewal the session is %+v", got)
	}
	after := mustFind(t, inner, "ann", "a")
	after.Data = before.Data // sealed under the old secret
	if err := inner.Update(t.Context(), after, after.Secret); err != nil {
		t.Fatal(err)
	}
	wantFindError(t, st, "ann", "a", store.ErrTampered)
	for _, err := range st.All(t.Context()) {
		if !errors.Is(err, store.ErrTampered) {
			t.Errorf("All of a session that was tampered with returned the error %v", err)
		}
	}
}

// A token before a renewal opens a session as long as the newest is not used, so Data is
// bound to both: whoever gives a session the hash of a secret of his own as the one
// before opens nothing.
func TestEncryptedFindsAForgedRenewal(t *testing.T) {
	key, inner, forged := newKey(t, "key"), store.NewMemory(), store.NewMemory()
	st := encrypted(t, inner, key)
	signIn(t, st, diary("ann", "a"))
	r := mustFind(t, inner, "ann", "a")
	r.Prev, r.RenewedAt = store.HashSecret("his own"), time.Now()
	if _, err := forged.Create(t.Context(), r, store.Limit{}); err != nil {
		t.Fatal(err)
	}
	wantFindError(t, encrypted(t, forged, key), "ann", "a", store.ErrTampered)
}
