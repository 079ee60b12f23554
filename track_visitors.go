package revoke

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/alexedwards/scs/v2"
)

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

func (r *router) allVisitors(ctx context.Context) (map[string][]byte, error) {
	switch v := r.visitors.(type) {
	case scs.IterableCtxStore:
		return v.AllCtx(ctx)
	case scs.IterableStore:
		return v.All()
	}
	return nil, fmt.Errorf("%w: %T", errNotIterable, r.visitors)
}

// AllCtx serves [scs.SessionManager.Iterate] with the sessions of visitors under
// their keys, and with those of users under handles. A session that was adopted comes
// twice.
func (r *router) AllCtx(ctx context.Context) (map[string][]byte, error) {
	if r.m.sm.HashTokenInStore {
		return nil, errHashedIterate
	}
	visitors, err := r.allVisitors(ctx)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(visitors)
	if all == nil {
		all = make(map[string][]byte)
	}
	for record, err := range r.m.sessions.All(ctx) {
		if err != nil {
			return nil, failed("iterate", err)
		}
		if !isReserved(record) && r.m.owns(record) {
			all[handle(record.User, record.ID)] = record.Data
		}
	}
	return all, nil
}

// A handle stands for a signed-in session in Iterate. It is no token, and opens
// nothing.
func handle(user, id string) string { return "~" + user + "." + id }

func parseHandle(key string) (token, bool) {
	if len(key) != 2*keyLength+2 || key[0] != '~' || key[keyLength+1] != '.' {
		return token{}, false
	}
	t := token{user: key[1 : keyLength+1], id: key[keyLength+2:]}
	return t, validID(t.user) && validID(t.id)
}

// forgetSignedIn deletes the signed-in sessions of the visitors' store, if it can be
// iterated. Here they open nothing any more; the deletion is for nodes of plain scs,
// and in case the session store is lost.
func (r *router) forgetSignedIn(ctx context.Context) error {
	visitors, err := r.allVisitors(ctx)
	if errors.Is(err, errNotIterable) {
		return nil
	}
	unread := 0
	for key, data := range visitors {
		_, isOld, err := r.identifyOld(key, data)
		if err != nil {
			unread++
		}
		if !isOld {
			continue
		}
		if err := r.deleteVisitor(ctx, key); err != nil {
			return err
		}
	}
	if unread > 0 {
		r.m.logger().WarnContext(ctx, "revoke: some sessions of the visitors' store cannot be read, and are left there", slog.Int("count", unread))
	}
	return err
}
