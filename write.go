package revoke

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/store"
)

// A write is what the save step has decided to store. It reaches the router in
// the context that the save step gives to scs's Commit, so that nobody else's
// Commit is taken for it.
type write struct {
	kind   kind
	record store.Record
	limit  int        // of a creation
	was    store.Hash // of an update

	renewed bool   // an update under a fresh token
	before  []byte // the data as it was loaded

	reached   bool // scs has encoded the data
	unchanged bool // there was nothing to write
	evicted   []store.Record
}

type kind int

const (
	visit    kind = iota // of a visitor's session
	creation             // of a session
	update               // of a session
)

type writeKey struct{}

// commit stores the session's data through scs, which gives it a token where it
// has none, and returns that token.
func (s *request) commit(ctx context.Context, w *write) (token string, err error) {
	token, _, err = s.m.sm.Commit(context.WithValue(context.WithoutCancel(ctx), writeKey{}, w))
	switch {
	case w.reached:
		return token, err
	case err == nil:
		return "", fmt.Errorf("%w: the store of scs was replaced after New", errEncode)
	}
	return "", fmt.Errorf("%w: %w", errEncode, err)
}

func (w *write) commit(ctx context.Context, r *router, key string, data []byte, expiry time.Time) (err error) {
	w.reached = true
	w.record.Data = data
	switch w.kind {
	case creation:
		w.record.Secret = r.secretHash(key, token{secret: key})
		w.evicted, err = r.m.sessions.Create(ctx, w.record, store.Limit{Max: w.limit})
		return err
	case update:
		if w.renewed {
			w.record.Secret = r.secretHash(key, token{secret: key})
		} else if w.unchanged = bytes.Equal(data, w.before); w.unchanged {
			return nil
		}
		return r.m.sessions.Update(ctx, w.record, w.was)
	}
	return r.commitVisitor(ctx, key, data, expiry)
}

// changed reports whether scs holds the data for changed. Under IdleTimeout it
// always does.
func (s *request) changed(ctx context.Context) bool { return s.m.sm.Status(ctx) == scs.Modified }

// freshenToken makes sure that the session is saved under another token than
// the one the client presented.
func (s *request) freshenToken(ctx context.Context) error {
	if s.token == "" || s.m.sm.Token(ctx) != s.token {
		return nil
	}
	deadline := s.m.sm.Deadline(ctx)
	if err := s.m.sm.RenewToken(ctx); err != nil {
		return err
	}
	if !deadline.Equal(s.deadline) { // the handler has set it
		s.m.sm.SetDeadline(ctx, deadline)
	}
	return nil
}

// releaseVisitor deletes the visitor's session that this request came with and
// that goes on under another token. What is left of it expires by itself.
func (s *request) releaseVisitor(ctx context.Context) {
	if _, isTracked := parseToken(s.token); isTracked || s.token == "" {
		return
	}
	if err := s.m.router.deleteVisitor(context.WithoutCancel(ctx), s.m.router.key(s.token)); err != nil {
		s.storeFailed(fmt.Errorf("revoke: delete visitor's session: %w", err))
	}
}

// setCookie gives the client a token. A cookie that says nothing new, or nothing
// that this request has brought about, is not to be set: responses arrive in any
// order, and the browser may hold a newer one by then.
func (s *request) setCookie(w http.ResponseWriter, t token) {
	s.issue(t)
	s.m.sm.WriteSessionCookie(s.ctx, w, t.String(), s.m.sm.Deadline(s.ctx))
}

// clearCookie makes the client forget its token.
func (s *request) clearCookie(w http.ResponseWriter) {
	s.m.sm.WriteSessionCookie(s.ctx, w, "", time.Time{})
}

// rememberKey is the one under which scs keeps what RememberMe was told.
const rememberKey = "__rememberMe"

// cookieExpiry returns when the session's cookie expires in the browser; zero for
// a cookie that goes when the browser is closed. It is the absolute timeout: the
// idle one is the store's alone to enforce.
func (m *Manager) cookieExpiry(ctx context.Context) time.Time {
	if !m.sm.Cookie.Persist && !m.sm.GetBool(ctx, rememberKey) {
		return time.Time{}
	}
	return m.sm.Deadline(ctx)
}

// rescheduled reports whether this request has changed how long the browser is to keep
// the cookie that is loaded.
func (s *request) rescheduled(ctx context.Context) bool {
	return !s.m.cookieExpiry(ctx).Equal(s.cookieExpires)
}

// expiry returns until when a session that is in use now is to be kept. As uses
// within a touch interval are not written, an idle timeout is that much longer.
func (m *Manager) expiry(deadline time.Time) time.Time {
	if idle := m.sm.IdleTimeout; idle > 0 {
		if e := now().Add(idle + m.touchInterval()); e.Before(deadline) {
			return e
		}
	}
	return deadline.Truncate(time.Microsecond)
}

func (m *Manager) touchInterval() time.Duration {
	if idle := m.sm.IdleTimeout; idle > 0 {
		return min(m.TouchInterval, idle/2)
	}
	return m.TouchInterval
}

// now is as precise as the stores are.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
