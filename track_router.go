package revoke

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/store"
)

// A router is the store that scs sees. It sends the token of a signed-in
// session to the session store, and any other to the store of visitors.
//
// Its Commit updates sessions and never creates one. Sessions are created by the
// save step and by adoption.
type router struct {
	m        *Manager
	visitors scs.Store
}

// FindCtx returns the data behind a token: what load has just looked up, or else
// another session, that is being merged or loaded outside of a request.
func (r *router) FindCtx(ctx context.Context, key string) ([]byte, bool, error) {
	s := r.m.request(ctx)
	if s != nil && key != "" && s.handed.key == key {
		s.handed.taken = true
		return s.handed.data, true, nil
	}
	var record store.Record
	if t, ok := parseToken(key); ok {
		var err error
		if record, err = r.m.find(ctx, t.user, t.id, store.HashSecret(t.secret)); err != nil {
			return nil, false, ignoreEnded(err)
		}
		if !r.m.owns(record) {
			return nil, false, nil
		}
	} else {
		data, found, err := r.findVisitor(ctx, key)
		if err != nil || !found {
			return nil, false, err
		}
		o, isOld, err := r.identifyOld(key, data)
		if err != nil || !isOld {
			return data, err == nil, err
		}
		if record, err = r.openOld(ctx, o, func() client { return client{} }); err != nil {
			return nil, false, ignoreEnded(err)
		}
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
	if isCalledByLoadAndSave() {
		return r.m.refuseLoadAndSave(ctx)
	}
	deadline, values, err := r.m.sm.Codec.Decode(data)
	if err != nil {
		return failed("save session", err)
	}
	n, isSession, err := r.nameOf(ctx, key)
	userID := r.m.idOf(values)
	switch {
	case err != nil:
		return failed("save session", err)
	case !isSession && userID != "":
		return errSignInOutsideTrack
	case !isSession:
		return r.commitVisitor(ctx, key, data, expiry)
	case userID == "" || !r.m.isUserKey(n.user, userID):
		return errOtherUser
	}
	ctx = context.WithoutCancel(ctx)
	record, err := r.m.sessions.Find(ctx, n.user, n.id)
	if err != nil {
		return failed("save session", err)
	}
	was, s := n.secret, r.m.request(ctx)
	if n.isHandle {
		was = record.Secret
	} else if s != nil && s.came.token != "" && s.cookieOf(key) == s.came.token {
		if loaded := s.membership().record; loaded != nil {
			was = loaded.Secret // the token that came may be the one before
		}
	}
	record.Secret, record.Data, record.ExpiresAt = was, data, expiry.Truncate(time.Microsecond)
	if isAsItCame := s != nil && deadline.Equal(s.came.deadline); deadline.Before(record.Deadline) && !isAsItCame {
		record.Deadline = deadline.Truncate(time.Microsecond)
	} else {
		record.Deadline = time.Time{} // the one that is stored stays
	}
	return failed("save session", r.m.sessions.Update(ctx, record, was))
}

// DeleteCtx ends the session of a token. scs calls it for Destroy, RenewToken
// and MergeSession, and only the data can tell them apart: within a tracked
// request it is left to the save step.
func (r *router) DeleteCtx(ctx context.Context, key string) error {
	if r.m.request(ctx).deferDelete(key) {
		return nil
	}
	ctx = underSCSLock(context.WithoutCancel(ctx))
	n, isSession, err := r.nameOf(ctx, key)
	switch {
	case err != nil:
		return failed("destroy session", err)
	case !isSession:
		return r.deleteVisitor(ctx, key)
	}
	if !n.isHandle {
		_, err = r.m.find(ctx, n.user, n.id, n.secret)
	}
	if err == nil {
		var ended bool
		if ended, err = r.m.endOne(ctx, n.user, n.id, ReasonLoggedOut); ended {
			r.m.emit(ctx, Event{Kind: LoggedOut, UserID: n.userID, SessionID: n.id, ActorID: n.id, Reason: ReasonLoggedOut, Count: 1})
		}
	}
	if ignoreEnded(err) != nil && !errors.Is(err, ErrNotReplicated) {
		return failed("destroy session", err)
	}
	if n.old != "" {
		return r.deleteVisitor(ctx, n.old)
	}
	return nil
}

// A name is the session that a key of scs stands for.
type name struct {
	user, id string
	userID   string     // if it is known
	secret   store.Hash // by which the key opens it
	old      string     // the key of the visitors' store, if the key is one of an old session
	isHandle bool       // the key is one of Iterate's, and opens nothing
}

// nameOf returns the session that a key stands for, and reports false if it is, or
// would be, one of a visitor's.
func (r *router) nameOf(ctx context.Context, key string) (name, bool, error) {
	s := r.m.request(ctx)
	if t, ok := parseHandle(key); ok {
		return name{user: t.user, id: t.id, isHandle: true}, true, nil
	}
	if n, ok := s.nameOfToken(key); ok {
		return n, true, nil
	}
	cookie := s.cookieOf(key)
	if t, ok := parseToken(cookie); ok {
		return name{user: t.user, id: t.id, secret: r.secretHash(key, t)}, true, nil
	}
	if cookie != key {
		key = r.key(cookie)
	}
	data, found, err := r.findVisitor(ctx, key)
	if err != nil || !found {
		return name{}, false, err
	}
	o, isOld, err := r.identifyOld(key, data)
	return name{user: o.tag.user, id: o.tag.id, userID: o.userID, secret: o.tag.secret(), old: key}, isOld, err
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

// find returns the session that a secret opens. To the holder of the secret it
// returns the tombstone, with ErrRevoked, and the session that the secret has opened
// before its last renewal was used, with ErrStale. To others the session was never
// there.
func (m *Manager) find(ctx context.Context, user, id string, secret store.Hash) (store.Record, error) {
	record, err := m.sessions.Find(ctx, user, id)
	switch {
	case errors.Is(err, store.ErrTampered):
		return store.Record{User: user, ID: id}, err
	case err != nil && !errors.Is(err, store.ErrRevoked):
		return store.Record{}, err
	case record.Opens(secret):
		return record, err
	case err == nil && record.Retired(secret):
		return record, store.ErrStale
	}
	return store.Record{}, store.ErrNotFound
}

// owns reports whether a session is this manager's, and not another's over the same
// store. What cannot be decoded opens nothing anyway.
func (m *Manager) owns(record store.Record) bool {
	_, values, err := m.sm.Codec.Decode(record.Data)
	return err != nil || m.isUserKey(record.User, m.idOf(values))
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
