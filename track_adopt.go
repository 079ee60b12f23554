package revoke

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Adoption takes over the sessions that were signed in before revoke came. The old
// cookie stays: the visitors' store says whose it is, and the session store says
// whether it lives. A tag in the old record says that it was adopted. From then on
// the record cannot create a session, whatever is forgotten in the session store.

// An old session is one of the visitors' store whose record names a user. Nodes of
// plain scs, if there are any, go on using that record.
type old struct {
	key      string // scs's
	userID   string
	tag      tag // which the record has, or is to have
	isTagged bool
	deadline time.Time
	values   map[string]any
}

// identifyOld returns the old session that a record of the visitors' store is, and
// reports false if the record names nobody.
func (r *router) identifyOld(key string, data []byte) (old, bool, error) {
	deadline, values, err := r.m.sm.Codec.Decode(data)
	if err != nil {
		return old{}, false, failed("decode session", err)
	}
	userID := r.m.idOf(values)
	if userID == "" {
		return old{}, false, nil
	}
	o := old{key: key, userID: userID, tag: newTag(r.m.userKey(userID), key), deadline: deadline, values: values}
	// A renewal on a node of plain scs copies the tag to another key: what is tagged
	// remains the session that it was adopted as.
	text, _ := values[tagKey].(string)
	if t, ok := parseTag(text); ok && t.user == o.tag.user {
		o.tag, o.isTagged = t, true
	}
	return o, true, nil
}

// An adoptionState says what the session store knows of an old session.
type adoptionState int

const (
	dormant  adoptionState = iota // it was never adopted
	reserved                      // an adoption is under way; the session opens to nobody yet
	adopted                       // it lives, and the old cookie opens it
	retired                       // its token was renewed, and the new one was used
	over                          // it was revoked, or is there no more, or under a newer token
)

// state returns how an old session stands, given what Find has returned for it.
func (o old) state(record store.Record, err error) adoptionState {
	switch {
	case errors.Is(err, store.ErrNotFound) && !o.isTagged:
		return dormant
	case err != nil:
		return over
	case isReserved(record):
		return reserved
	case record.Opens(o.tag.secret()):
		return adopted
	case record.Retired(o.tag.secret()):
		return retired
	}
	return over
}

// isReserved reports whether a session is being adopted: it opens to nobody, and is
// in no list.
func isReserved(record store.Record) bool { return record.SeenAt.IsZero() }

// adoptionTries bounds the steps of one adoption, of which there are three unless
// others take steps too.
const adoptionTries = 16

var errAdoption = errors.New("revoke: adopt session: others are adopting it all the time")

// openOld opens the session that an old one was adopted as, and adopts it if need
// be. It takes one step at a time and looks again, so whatever others do
// meanwhile, and wherever an earlier request stopped, it goes on from there.
//
// The error is ErrNotFound if the old session opens nothing, ErrRevoked, with the
// tombstone, if that is because it was revoked, and ErrStale, with the session, if
// its token is retired.
func (r *router) openOld(ctx context.Context, o old, client func() client) (store.Record, error) {
	ctx = context.WithoutCancel(ctx)
	for range adoptionTries {
		record, err := r.m.sessions.Find(ctx, o.tag.user, o.tag.id)
		if ignoreEnded(err) != nil {
			return store.Record{}, failed("adopt session", err)
		}
		switch o.state(record, err) {
		case dormant:
			err = r.reserve(ctx, o)
		case reserved:
			err = r.fill(ctx, &o, record, client)
		case adopted:
			r.heal(ctx, o)
			return record, nil
		case retired:
			r.dropOld(ctx, o.key)
			return record, store.ErrStale
		case over:
			r.dropOld(ctx, o.key)
			if errors.Is(err, store.ErrRevoked) && record.Opens(o.tag.secret()) {
				return record, store.ErrRevoked
			}
			return store.Record{}, store.ErrNotFound
		}
		if err != nil {
			return store.Record{}, err
		}
	}
	return store.Record{}, errAdoption
}

// reserve creates the session that an old one is adopted as. Its secret is a random
// one, which is the reservation's own and opens nothing. If adoption is off, or the
// sessions of the user, or of everyone, were all revoked, the old record stays what
// it is to nodes of plain scs.
func (r *router) reserve(ctx context.Context, o old) error {
	if !r.m.adopts() {
		return store.ErrNotFound
	}
	if err := r.everyoneRevoked(ctx); err != nil {
		return err
	}
	deadline := o.deadline.Truncate(time.Microsecond)
	record := store.Record{
		User: o.tag.user, ID: o.tag.id, CreatedAt: earlier(now(), deadline.Add(-r.m.sm.Lifetime)),
		ExpiresAt: deadline, Deadline: deadline, Once: r.m.horizon(deadline),
	}
	rand.Read(record.Secret[:]) // never fails: it ends the program instead
	evicted, err := r.m.sessions.Create(ctx, record, store.Limit{Max: r.m.MaxPerUser})
	r.m.evicted(ctx, o.userID, o.tag.id, evicted)
	var marked *store.MarkedError
	switch {
	case err == nil || errors.Is(err, store.ErrExists):
		return nil
	case errors.As(err, &marked):
		return store.ErrNotFound
	case errors.Is(err, store.ErrRevoked):
		r.dropOld(ctx, o.key)
		return store.ErrNotFound
	}
	return failed("adopt session", err)
}

// fill makes a reservation the session itself. RevokeEveryone leaves its mark before
// it begins, so whatever is created before that is ended by it, and whatever is
// created after that is refused here.
func (r *router) fill(ctx context.Context, o *old, reservation store.Record, client func() client) error {
	err := r.everyoneRevoked(ctx)
	if errors.Is(err, store.ErrNotFound) {
		if _, err := r.m.endOne(ctx, o.tag.user, o.tag.id, ReasonRevokedAll); err != nil {
			return failed("adopt session", err)
		}
	}
	if err != nil {
		return err
	}
	if err := r.writeTag(ctx, o); err != nil {
		return failed("adopt session", err)
	}
	values := maps.Clone(o.values)
	delete(values, tagKey)
	record := reservation
	record.Secret, record.SeenAt, record.Client = o.tag.secret(), now(), client().encode()
	record.ExpiresAt = r.m.expiry(o.deadline)
	if record.Data, err = r.m.sm.Codec.Encode(o.deadline, values); err != nil {
		return failed("adopt session", errEncoding(err))
	}
	if err := r.m.sessions.Update(ctx, record, reservation.Secret); err != nil {
		return ignoreEnded(failed("adopt session", err)) // if it ended or was filled meanwhile, the next look says so
	}
	r.m.emit(ctx, Event{Kind: Adopted, UserID: o.userID, SessionID: o.tag.id, ActorID: o.tag.id, Count: 1})
	return nil
}

// everyoneRevoked returns ErrNotFound if RevokeEveryone was ever called: from then on
// no session is adopted.
func (r *router) everyoneRevoked(ctx context.Context) error {
	at, err := r.m.sessions.RevokedEveryone(ctx)
	if err == nil && !at.IsZero() {
		return store.ErrNotFound
	}
	return failed("adopt session", err)
}

// heal writes the tag again if a node of plain scs has written the record without
// it. If that fails the next request tries again.
func (r *router) heal(ctx context.Context, o old) {
	if o.isTagged {
		return
	}
	if err := r.writeTag(ctx, &o); err != nil {
		r.m.storeFailed(ctx, failed("adopt session", err))
	}
}

// dropOld deletes an old record that opens nothing any more. If that fails, it is
// of use to nodes of plain scs only.
func (r *router) dropOld(ctx context.Context, key string) {
	if err := r.deleteVisitor(context.WithoutCancel(ctx), key); err != nil {
		r.m.storeFailed(ctx, failed("delete old session", err))
	}
}

// adopts reports whether sessions are adopted that were not before.
func (m *Manager) adopts() bool {
	if m.AdoptUntil.IsZero() {
		return !store.Encrypts(m.sessions)
	}
	return time.Now().Before(m.AdoptUntil)
}

// horizon returns until when something may come that began before now.
func (m *Manager) horizon(deadline time.Time) time.Time {
	horizon := now().Add(max(m.sm.Lifetime, store.TombstoneLifetime))
	for _, t := range []time.Time{deadline, m.AdoptUntil} {
		if t.After(horizon) {
			horizon = t.Truncate(time.Microsecond)
		}
	}
	return horizon
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// tagKey is the scs value of an old record that holds its tag.
const tagKey = "revoke.adopted"

// A tag names the session that an old record was adopted as, and proves it. Both come
// from the key that the record had then, and stay: a renewal on a node of plain scs
// copies the tag, and the session is the same under the new key.
type tag struct {
	user, id string
	proof    store.Hash
}

// newTag returns the tag for a record that has none: the same for all requests that
// adopt it at once.
func newTag(user, key string) tag {
	return tag{user, shortHash("revoke: id of an old session\x00" + key), store.HashSecret("revoke: secret of an old session\x00" + key)}
}

// secret returns the hash by which the record opens its session. It is a hash of the
// proof, so that nobody makes a tag from what the session store holds. It is not the
// hash of any token's secret, so that nobody makes a token from an old key.
func (t tag) secret() store.Hash {
	return store.HashSecret("revoke: proof of an old session\x00" + string(t.proof[:]))
}

func (t tag) String() string {
	return t.user + "." + t.id + "." + base64.RawURLEncoding.EncodeToString(t.proof[:])
}

func parseTag(text string) (t tag, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || !validID(parts[0]) || !validID(parts[1]) || len(parts[2]) != secretLength {
		return tag{}, false
	}
	t.user, t.id = parts[0], parts[1]
	_, err := base64.RawURLEncoding.Decode(t.proof[:], []byte(parts[2]))
	return t, err == nil
}

// writeTag writes an old record again as it was read, tagged.
func (r *router) writeTag(ctx context.Context, o *old) error {
	o.isTagged = true
	values := maps.Clone(o.values)
	values[tagKey] = o.tag.String()
	data, err := r.m.encodeForPlainSCS(o.deadline, values)
	if err != nil {
		return errEncoding(err)
	}
	return r.commitVisitor(ctx, o.key, data, r.m.expiry(o.deadline))
}
