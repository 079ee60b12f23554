package store_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

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
