package revoke

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Adoption takes over the sessions that were signed in before revoke came: they
// are in the visitors' store, and their data names a user.
//
// A session is adopted by the first request that brings its old cookie. What is
// left in the visitors' store is a pointer, for the requests that are under way
// with that cookie: it leads to the session as long as that lives, and never
// creates one.

// pointerKey is the key of the one scs value of a pointer: the user key.
const pointerKey = "revoke.adopted"

// adoptionGrace is how long a pointer is kept.
const adoptionGrace = time.Minute

// An identity is whom the data of a session names.
type identity struct {
	userID   string // who is signed in; empty in a visitor's session, and in a pointer
	user     string // the user key
	deadline time.Time
}

func (r *router) identify(data []byte) (identity, error) {
	deadline, values, err := r.m.sm.Codec.Decode(data)
	if err != nil {
		return identity{}, fmt.Errorf("revoke: decode session: %w", err)
	}
	i := identity{userID: formatUserID(values[r.m.UserIDKey]), deadline: deadline}
	if i.userID != "" {
		i.user = userKey(i.userID)
	} else {
		i.user, _ = values[pointerKey].(string)
	}
	return i, nil
}

// adopted returns the token of a session that is, or was, adopted. Its id comes
// from the old token, so that all requests that adopt it at once arrive at the
// same.
func (r *router) adopted(user, key string) token {
	id := shortHash(key)
	if r.m.sm.HashTokenInStore {
		id = key[:keyLength] // the hash of the token already
	}
	return token{user: user, id: id, secret: key}
}

// adoptedAs follows the pointer that is kept under an old token, if there is one.
func (r *router) adoptedAs(ctx context.Context, key string) (token, bool) {
	data, found, err := r.findVisitor(ctx, key)
	if err != nil || !found {
		return token{}, false
	}
	i, err := r.identify(data)
	if err != nil || i.userID != "" || i.user == "" {
		return token{}, false
	}
	return r.adopted(i.user, key), true
}

type adoption struct {
	identity
	token  token
	key    string // scs's, in the visitors' store
	data   []byte
	client client
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
	}, store.Limit{Max: r.m.MaxPerUser})
	switch {
	case err == nil:
		if err := r.stillThere(ctx, a); err != nil {
			return err
		}
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
	expires := now().Add(adoptionGrace)
	pointer, err := r.m.sm.Codec.Encode(expires, map[string]any{pointerKey: a.token.user})
	if err != nil {
		return fmt.Errorf("revoke: adopt session: %w", err)
	}
	return r.commitVisitor(ctx, a.key, pointer, expires)
}

// stillThere undoes an adoption that RevokeEveryone has overtaken. That goes
// through the visitors' store first: where the old session is still there, it has
// yet to come to the session store.
func (r *router) stillThere(ctx context.Context, a adoption) error {
	_, found, err := r.findVisitor(ctx, a.key)
	if err != nil {
		return fmt.Errorf("revoke: adopt session: %w", err)
	}
	if found {
		return nil
	}
	_, err = r.m.sessions.Revoke(ctx, a.token.user, a.token.id, store.Revocation{At: now(), Reason: ReasonRevokedAll})
	if ignoreEnded(err) != nil {
		return fmt.Errorf("revoke: adopt session: %w", err)
	}
	return store.ErrRevoked
}

// forgetSignedIn deletes the sessions of the visitors' store that have not been
// adopted, and the pointers to those that have, where it can be iterated.
func (r *router) forgetSignedIn(ctx context.Context) error {
	visitors, err := r.AllCtx(ctx)
	if errors.Is(err, errNotIterable) {
		return nil
	}
	for key, data := range visitors {
		if i, err := r.identify(data); err != nil || i.user == "" {
			continue
		}
		if err := r.deleteVisitor(ctx, key); err != nil {
			return err
		}
	}
	return err
}

// adopt adopts the session that the presented cookie opened in the visitors'
// store, or follows the pointer there, and opens it under its new cookie.
func (s *request) adopt(base, ctx context.Context, user string) (context.Context, error) {
	router, key := s.m.router, s.m.router.key(s.token)
	t := router.adopted(user, key)
	t.secret = s.token
	if _, ok := parseToken(t.String()); !ok {
		return nil, nil // no token that scs has made
	}
	if s.userID != "" {
		err := router.adopt(base, adoption{identity{s.userID, user, s.m.sm.Deadline(ctx)}, t, key, s.data, s.m.describedClient(s.http)})
		if err != nil && !errors.Is(err, store.ErrRevoked) {
			return nil, err
		}
	}
	s.adopted = true
	return s.open(base, t.String())
}
