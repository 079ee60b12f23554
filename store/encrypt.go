package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Encrypted is a [Store] that keeps its sessions in another, with Client and Data
// encrypted. User keys, ids, hashes, times, tombstones and the lengths of values stay
// readable.
//
// A value is bound to its user, session and field. Data is also bound to the hashes of
// the secrets that open the session. So if somebody can write to the inner store but has
// no key, they cannot make a value up, change or remove one, or put it elsewhere. If they
// give a session the hash of a secret of their own, that token opens nothing. Find reports
// all of these as [ErrTampered].
//
// They can do three things unnoticed: end sessions, change times, and put back what was
// there before. That is an older value of the same session and field, Data under the same
// secret, or a whole session, even one that was revoked since.
//
// Whatever was done to the bytes of a session, it stays listed and can be revoked: List,
// Revoke, RevokeAll and Create return a nil Client if they cannot decrypt it.
type Encrypted struct {
	inner Store
	keys  []Key
}

var (
	// ErrTampered is the error of Find if a value is not the one that was stored in
	// that place. It is also the error if a value is not encrypted, unless [Plain] is
	// among the keys.
	ErrTampered = errors.New("session tampered with")

	// ErrUnknownKey is an [ErrTampered]: the value names a key that is not there. Most often
	// that is no attack, but a key that was added too late or dropped too soon.
	ErrUnknownKey = fmt.Errorf("%w, or its key is missing", ErrTampered)
)

// Encrypt returns a store that keeps its sessions in st, encrypted. The first key
// writes, and all of them read. An error says what is wrong with the keys.
//
// A new key takes over without signing anybody out, in three deployments:
//
//	store.Encrypt(st, oldKey, newKey) // until every process can read what newKey writes
//	store.Encrypt(st, newKey, oldKey) // until the last session from before has expired
//	store.Encrypt(st, newKey)
//
// Meanwhile Data is rewritten when it changes, and Client on a touch.
//
// If a store was not encrypted, do the same with [Plain] as the old key. To give
// encryption up, use Plain as the new key. While Plain is among the keys, whoever can
// write to st can make values up. So Plain cannot be the only key; remove it when it has
// done its work.
func Encrypt(st Store, keys ...Key) (*Encrypted, error) {
	e, ids := &Encrypted{inner: st}, make(map[string]bool)
	for _, k := range keys {
		if k != Plain && (k.ID == "" || len(k.ID) > 255 || k.AEAD == nil || k.AEAD == Plain.AEAD) {
			return nil, fmt.Errorf("store: encrypt: key %q must have an ID of 1 to 255 bytes and an AEAD", k.ID)
		}
		if ids[k.ID] {
			return nil, fmt.Errorf("store: encrypt: two keys have the ID %q", k.ID)
		}
		ids[k.ID] = true
		e.keys = append(e.keys, k)
	}
	if delete(ids, Plain.ID); len(ids) == 0 {
		return nil, errors.New("store: encrypt: no key")
	}
	return e, nil
}

// Unwrap returns the inner store.
func (e *Encrypted) Unwrap() Store { return e.inner }

// Create implements [Store].
func (e *Encrypted) Create(ctx context.Context, r Record, limit Limit) ([]Record, error) {
	r, err := e.sealed(r)
	if err != nil {
		return nil, fmt.Errorf("store: encrypt session: %w", err)
	}
	evicted, err := e.inner.Create(ctx, r, limit)
	return e.listed(r.User, evicted), err
}

// Find implements [Store], and returns [ErrTampered] as well.
func (e *Encrypted) Find(ctx context.Context, user, id string) (Record, error) {
	r, err := e.inner.Find(ctx, user, id)
	if err != nil {
		return r, err
	}
	r.User, r.ID = user, id
	return e.opened(r)
}

// Update implements [Store]. If the secret stays, it looks the session up first: the
// inner store then keeps Prev, to which Data is bound.
func (e *Encrypted) Update(ctx context.Context, r Record, was Hash) error {
	if r.Secret == was {
		kept, err := e.inner.Find(ctx, r.User, r.ID)
		if err != nil {
			return err
		}
		r.Prev = kept.Prev
	}
	r, err := e.sealed(r)
	if err != nil {
		return fmt.Errorf("store: encrypt session: %w", err)
	}
	return e.inner.Update(ctx, r, was)
}

// Touch implements [Store].
func (e *Encrypted) Touch(ctx context.Context, user, id string, t Touch) (err error) {
	if t.Client != nil {
		if t.Client, err = e.seal(t.Client, "client", user, id); err != nil {
			return fmt.Errorf("store: encrypt client: %w", err)
		}
	}
	return e.inner.Touch(ctx, user, id, t)
}

// List implements [Store].
func (e *Encrypted) List(ctx context.Context, user string) ([]Record, error) {
	list, err := e.inner.List(ctx, user)
	return e.listed(user, list), err
}

// Revoke implements [Store].
func (e *Encrypted) Revoke(ctx context.Context, user, id string, why Revocation) (Record, error) {
	r, err := e.inner.Revoke(ctx, user, id, why)
	return e.listed(user, []Record{r})[0], err
}

// RevokeAll implements [Store].
func (e *Encrypted) RevokeAll(ctx context.Context, user, keep string, why Revocation) ([]Record, error) {
	revoked, err := e.inner.RevokeAll(ctx, user, keep, why)
	return e.listed(user, revoked), err
}

// RevokeEveryone implements [Store].
func (e *Encrypted) RevokeEveryone(ctx context.Context) error { return e.inner.RevokeEveryone(ctx) }

// RevokedEveryone implements [Store].
func (e *Encrypted) RevokedEveryone(ctx context.Context) (time.Time, error) {
	return e.inner.RevokedEveryone(ctx)
}

// All implements [Store]. It ends with [ErrTampered] at the first session that it
// cannot decrypt.
func (e *Encrypted) All(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for r, err := range e.inner.All(ctx) {
			if err == nil {
				r, err = e.opened(r)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Encrypts reports whether what is written now is encrypted: see [Encrypts].
func (e *Encrypted) Encrypts() bool { return e.keys[0] != Plain }

// Encrypts reports whether a store encrypts what it keeps. It calls the store's method
// Encrypts() bool, if there is one. If the store has a method Unwrap() Store, Encrypts then
// asks the store inside. So a store that wraps another needs only Unwrap.
func Encrypts(st Store) bool {
	for {
		if e, ok := st.(interface{ Encrypts() bool }); ok && e.Encrypts() {
			return true
		}
		decorator, ok := st.(interface{ Unwrap() Store })
		if !ok {
			return false
		}
		st = decorator.Unwrap()
	}
}

// sealed returns r as the inner store keeps it. Data can be bound to the secrets
// because they only ever change together with it; Client cannot, for Touch.
func (e *Encrypted) sealed(r Record) (_ Record, err error) {
	if r.Client, err = e.seal(r.Client, "client", r.User, r.ID); err == nil {
		r.Data, err = e.seal(r.Data, dataOf(r)...)
	}
	return r, err
}

// opened returns r as it was before it was sealed.
func (e *Encrypted) opened(r Record) (_ Record, err error) {
	if r.Client, err = e.open(r.Client, "client", r.User, r.ID); err == nil {
		r.Data, err = e.open(r.Data, dataOf(r)...)
	}
	if err != nil {
		return Record{}, fmt.Errorf("store: decrypt session: %w", err)
	}
	return r, nil
}

// dataOf returns the place of a session's Data. What may open the session is part of it.
func dataOf(r Record) []string {
	place := []string{"data", r.User, r.ID, string(r.Secret[:])}
	if r.Prev != (Hash{}) {
		place = append(place, string(r.Prev[:]))
	}
	return place
}

// listed decrypts the clients of a user's records, and drops those it cannot.
func (e *Encrypted) listed(user string, records []Record) []Record {
	for i := range records {
		r := &records[i]
		r.Client, _ = e.open(r.Client, "client", user, r.ID)
	}
	return records
}

// magic is what a value that is encrypted begins with; the length of the key's ID,
// the ID and what the AEAD returned follow. JSON, CBOR and text never begin with
// 0xFF, and gob, where it does, goes on with a length of 128 or more.
const magic = "\xff\x00e1"

// header is what the values of a key begin with. Those of Plain begin with nothing.
func (k Key) header() []byte {
	if k.ID == Plain.ID {
		return []byte{} // an empty Client, unlike none, means something to Touch
	}
	return append(append([]byte(magic), byte(len(k.ID))), k.ID...)
}

// seal encrypts a value for a place, which has to be named again to open it. An
// empty value it encrypts as well, so that none can be passed off as empty.
func (e *Encrypted) seal(value []byte, place ...string) ([]byte, error) {
	sealed, err := e.keys[0].AEAD.Encrypt(value, associated(place))
	return append(e.keys[0].header(), sealed...), err
}

func (e *Encrypted) open(value []byte, place ...string) ([]byte, error) {
	encrypted := bytes.HasPrefix(value, []byte(magic))
	for _, k := range e.keys {
		sealed, ok := bytes.CutPrefix(value, k.header())
		if !ok || encrypted == (k.ID == Plain.ID) {
			continue
		}
		opened, err := k.AEAD.Decrypt(sealed, associated(place))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTampered, err)
		}
		if len(opened) == 0 {
			return nil, nil // as it was given, most likely
		}
		return opened, nil
	}
	if encrypted {
		return nil, ErrUnknownKey
	}
	return nil, fmt.Errorf("%w: not encrypted", ErrTampered)
}

// associated returns what is authenticated with a value. The length before each
// part keeps two places from reading the same.
func associated(place []string) []byte {
	b := []byte(magic)
	for _, part := range place {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	return b
}
