package revoke

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/store"
)

// A router is the store that scs sees. It sends the token of a signed-in
// session to the session store, and any other to the store of visitors.
//
// Nothing that it writes for a session ever creates one: a session comes to be
// in the save step alone.
type router struct {
	m        *Manager
	visitors scs.Store
}

// adoptionGrace is how long a record in the visitors' store outlives its
// adoption, for requests that are under way with the old cookie.
const adoptionGrace = time.Minute

var (
	errSignInOutsideTrack = errors.New("revoke: a sign-in is stored by Track when the response begins, and not otherwise")
	errNotIterable        = errors.New("revoke: the visitors' store does not support iteration")
)

// FindCtx returns the data behind a token.
func (r *router) FindCtx(ctx context.Context, key string) ([]byte, bool, error) {
	s := r.m.request(ctx)
	presented, loading := s.presentedAs(key)
	if !loading {
		presented = key
	}
	if t, ok := parseToken(presented); ok {
		record, err := r.m.find(ctx, t)
		if loading {
			s.found(t, record, err)
		} else if err == nil {
			s.noteSource(key, t, record)
		}
		return record.Data, err == nil, ignoreEnded(err)
	}

	data, found, err := r.findVisitor(ctx, key)
	if err != nil || !found {
		return nil, false, err
	}
	if loading {
		s.foundVisitor(data)
		return data, true, nil
	}
	// Another session is being merged, or loaded outside of a request. One that
	// names a user is a signed-in one, with all that this means.
	userID, deadline, err := r.identify(data)
	if err != nil || userID == "" {
		return data, err == nil, err
	}
	t := r.adopted(userID, key)
	if err := r.adopt(ctx, adoption{userID, t, key, data, deadline, client{}}); err != nil {
		return nil, false, ignoreEnded(err)
	}
	record, err := r.m.sessions.Find(ctx, t.user, t.id)
	if err != nil {
		return nil, false, ignoreEnded(err)
	}
	s.noteSource(key, t, record)
	return record.Data, true, nil
}

// CommitCtx stores the data of a token. In the save step it does what that has
// decided. For anyone else, a goroutine that outlives its request or a
// callback of Iterate, it updates a session that is still live under that very
// token, and fails otherwise.
func (r *router) CommitCtx(ctx context.Context, key string, data []byte, expiry time.Time) error {
	if w, ok := ctx.Value(writeKey{}).(*write); ok {
		return w.commit(ctx, r, key, data, expiry)
	}
	presented, _ := r.m.request(ctx).presentedAs(key)
	t, ok := parseToken(presented)
	if !ok {
		userID, _, err := r.identify(data)
		if err != nil {
			return err
		}
		if userID == "" {
			return r.commitVisitor(ctx, key, data, expiry)
		}
		t = r.adopted(userID, key)
	}
	ctx = context.WithoutCancel(ctx)
	record, err := r.m.sessions.Find(ctx, t.user, t.id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return errSignInOutsideTrack
	case err != nil:
		return fmt.Errorf("revoke: save session: %w", err)
	}
	was := r.secretHash(key, t)
	record.Secret, record.Data, record.ExpiresAt = was, data, expiry
	if err := r.m.sessions.Update(ctx, record, was); err != nil {
		return fmt.Errorf("revoke: save session: %w", err)
	}
	return nil
}

// DeleteCtx ends the session of a token. scs calls it for Destroy, RenewToken
// and MergeSession, and only the data can tell them apart: within a tracked
// request it is left to the save step.
func (r *router) DeleteCtx(ctx context.Context, key string) error {
	s := r.m.request(ctx)
	if s.deferDelete(key) {
		return nil
	}
	presented, _ := s.presentedAs(key)
	t, ok := parseToken(presented)
	if !ok {
		return r.deleteVisitor(context.WithoutCancel(ctx), key)
	}
	ctx = context.WithoutCancel(ctx)
	if _, err := r.m.find(ctx, t); err != nil {
		return ignoreEnded(err)
	}
	why := store.Revocation{At: now(), Reason: ReasonLoggedOut, By: t.id}
	if _, err := r.m.sessions.Revoke(ctx, t.user, t.id, why); err != nil {
		return ignoreEnded(err)
	}
	return nil
}

// AllCtx serves [scs.SessionManager.Iterate] with the sessions of visitors; a
// user's sessions are listed by [Manager.List].
func (r *router) AllCtx(ctx context.Context) (map[string][]byte, error) {
	switch v := r.visitors.(type) {
	case scs.IterableCtxStore:
		return v.AllCtx(ctx)
	case scs.IterableStore:
		return v.All()
	}
	return nil, fmt.Errorf("%w: %T", errNotIterable, r.visitors)
}

// forgetSignedIn deletes the sessions of visitors that were signed in before
// revoke came, where the store can be iterated.
func (r *router) forgetSignedIn(ctx context.Context) error {
	visitors, err := r.AllCtx(ctx)
	if errors.Is(err, errNotIterable) {
		return nil
	}
	for key, data := range visitors {
		if userID, _, err := r.identify(data); err != nil || userID == "" {
			continue
		}
		if err := r.deleteVisitor(ctx, key); err != nil {
			return err
		}
	}
	return err
}

func (r *router) Find(token string) ([]byte, bool, error) {
	return r.FindCtx(context.Background(), token)
}

func (r *router) Commit(token string, b []byte, expiry time.Time) error {
	return r.CommitCtx(context.Background(), token, b, expiry)
}

func (r *router) Delete(token string) error {
	return r.DeleteCtx(context.Background(), token)
}

// find returns the session that a token opens. A tombstone is returned to the
// holder of the token only; to others the session was never there.
func (m *Manager) find(ctx context.Context, t token) (store.Record, error) {
	record, err := m.sessions.Find(ctx, t.user, t.id)
	if err != nil && !errors.Is(err, store.ErrRevoked) {
		return store.Record{}, err
	}
	if !record.Secret.Equal(store.HashSecret(t.secret)) {
		if err == nil {
			return store.Record{}, store.ErrStale
		}
		return store.Record{}, store.ErrNotFound
	}
	return record, err
}

// ignoreEnded passes only the errors that mean that a store failed.
func ignoreEnded(err error) error {
	for _, ended := range []error{store.ErrNotFound, store.ErrRevoked, store.ErrStale, store.ErrActorRevoked} {
		if errors.Is(err, ended) {
			return nil
		}
	}
	return err
}

// identify returns whom the data of a session in the visitors' store names as
// signed in.
func (r *router) identify(data []byte) (userID string, deadline time.Time, err error) {
	deadline, values, err := r.m.sm.Codec.Decode(data)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("revoke: decode session: %w", err)
	}
	return formatUserID(values[r.m.UserIDKey]), deadline, nil
}

// adopted returns the identity under which a session of the visitors' store is
// adopted. Its id comes from its token, so that all requests that adopt it at
// once arrive at the same.
func (r *router) adopted(userID, key string) token {
	id := shortHash(key)
	if r.m.sm.HashTokenInStore {
		id = key[:keyLength] // the hash of the token already
	}
	return token{user: userKey(userID), id: id, secret: key}
}

// An adoption takes over a session that was signed in before revoke came.
type adoption struct {
	userID   string
	token    token
	key      string // scs's, in the visitors' store
	data     []byte
	deadline time.Time
	client   client
}

// adopt returns nil where the session is, by now, in the session store, and
// ErrRevoked where it was revoked since.
func (r *router) adopt(ctx context.Context, a adoption) error {
	ctx = context.WithoutCancel(ctx)
	seen, created := now(), a.deadline.Add(-r.m.sm.Lifetime).Truncate(time.Microsecond)
	if created.After(seen) {
		created = seen
	}
	evicted, err := r.m.sessions.Create(ctx, store.Record{
		User: a.token.user, ID: a.token.id, Secret: r.secretHash(a.key, a.token),
		CreatedAt: created, SeenAt: seen, ExpiresAt: r.m.expiry(a.deadline),
		Client: a.client.encode(), Data: a.data,
	}, r.m.MaxPerUser)
	switch {
	case err == nil:
		r.m.emit(ctx, Event{Kind: Adopted, UserID: a.userID, SessionID: a.token.id, ActorID: a.token.id, Count: 1})
		r.m.evicted(ctx, a.userID, a.token.id, evicted)
	case errors.Is(err, store.ErrRevoked):
		if err := r.deleteVisitor(ctx, a.key); err != nil {
			return err
		}
		return store.ErrRevoked
	case !errors.Is(err, store.ErrExists):
		return fmt.Errorf("revoke: adopt session: %w", err)
	}
	expires := a.deadline
	if grace := now().Add(adoptionGrace); expires.After(grace) {
		expires = grace
	}
	return r.commitVisitor(ctx, a.key, a.data, expires)
}

// secretHash returns the hash under which a store knows a token. What scs has
// hashed already is not hashed again.
func (r *router) secretHash(key string, t token) store.Hash {
	if r.m.sm.HashTokenInStore {
		var h store.Hash
		if n, err := base64.RawURLEncoding.Decode(h[:], []byte(key)); err == nil && n == len(h) && t.secret == key {
			return h
		}
	}
	return store.HashSecret(t.secret)
}

// key is how scs names a token to its store.
func (r *router) key(token string) string {
	if r.m.sm.HashTokenInStore {
		return hashKey(token)
	}
	return token
}

func (r *router) findVisitor(ctx context.Context, key string) ([]byte, bool, error) {
	if v, ok := r.visitors.(scs.CtxStore); ok {
		return v.FindCtx(ctx, key)
	}
	return r.visitors.Find(key)
}

func (r *router) commitVisitor(ctx context.Context, key string, data []byte, expiry time.Time) error {
	if v, ok := r.visitors.(scs.CtxStore); ok {
		return v.CommitCtx(ctx, key, data, expiry)
	}
	return r.visitors.Commit(key, data, expiry)
}

func (r *router) deleteVisitor(ctx context.Context, key string) error {
	if v, ok := r.visitors.(scs.CtxStore); ok {
		return v.DeleteCtx(ctx, key)
	}
	return r.visitors.Delete(key)
}
