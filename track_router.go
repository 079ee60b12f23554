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

// FindCtx returns the data behind a token: what load has just looked up, or else
// another session, that is being merged or loaded outside of a request.
func (r *router) FindCtx(ctx context.Context, key string) ([]byte, bool, error) {
	s := r.m.request(ctx)
	if s != nil && s.handed.data != nil && s.handed.key == key {
		return s.handed.data, true, nil
	}
	if t, ok := parseToken(key); ok {
		record, err := r.m.find(ctx, t)
		if err == nil {
			s.readSource(key, record)
		}
		return record.Data, err == nil, ignoreEnded(err)
	}

	data, found, err := r.findVisitor(ctx, key)
	if err != nil || !found {
		return nil, false, err
	}
	// Data that names a user is a signed-in session, with all that this means.
	identity, err := r.identify(data)
	if err != nil || identity.user == "" {
		return data, err == nil, err
	}
	t := r.adopted(identity.user, key)
	if identity.userID != "" {
		if err := r.adopt(ctx, adoption{identity, t, key, data, client{}}); err != nil {
			return nil, false, ignoreEnded(err)
		}
	}
	record, err := r.m.findByHash(ctx, t, r.secretHash(key, t))
	if err != nil {
		return nil, false, ignoreEnded(err)
	}
	s.readSource(key, record)
	return record.Data, true, nil
}

// CommitCtx stores the data of a token. In the save step it does what that has
// decided. For anyone else, a goroutine that outlives its request or a
// callback of Iterate, it updates a session that is still live under that very
// token, and fails otherwise.
func (r *router) CommitCtx(ctx context.Context, key string, data []byte, expiry time.Time) error {
	if write, ok := ctx.Value(commitKey{}).(commit); ok {
		return write(ctx, key, data, expiry)
	}
	identity, err := r.identify(data)
	if err != nil {
		return err
	}
	t, ok := parseToken(r.m.request(ctx).cookieOf(key))
	switch {
	case ok && (identity.userID == "" || identity.user != t.user):
		return errOtherUser
	case !ok && identity.userID == "":
		return r.commitVisitor(ctx, key, data, expiry)
	case !ok:
		t = r.adopted(identity.user, key)
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
	t, ok := parseToken(s.cookieOf(key))
	ctx = context.WithoutCancel(ctx)
	if !ok {
		if t, ok = r.adoptedAs(ctx, key); !ok {
			return r.deleteVisitor(ctx, key)
		}
	}
	if _, err := r.m.findByHash(ctx, t, r.secretHash(key, t)); err != nil {
		return ignoreEnded(err)
	}
	ended, err := r.m.endOne(ctx, t.user, t.id, ReasonLoggedOut)
	if ended {
		// scs holds its lock, which whoever takes the event may want.
		go r.m.emit(ctx, Event{Kind: LoggedOut, SessionID: t.id, ActorID: t.id, Reason: ReasonLoggedOut, Count: 1})
		return nil
	}
	return err
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
	return m.findByHash(ctx, t, store.HashSecret(t.secret))
}

func (m *Manager) findByHash(ctx context.Context, t token, secret store.Hash) (store.Record, error) {
	record, err := m.sessions.Find(ctx, t.user, t.id)
	if err != nil && !errors.Is(err, store.ErrRevoked) {
		return store.Record{}, err
	}
	if !record.Secret.Equal(secret) {
		if err == nil {
			return store.Record{SeenAt: record.SeenAt}, store.ErrStale
		}
		return store.Record{}, store.ErrNotFound
	}
	return record, err
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
