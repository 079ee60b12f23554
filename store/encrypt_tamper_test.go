package store_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/redistest"
	"github.com/revoke-sessions/revoke/store"
)

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
