package revoke

import (
	"context"
	"time"
)

// A cookie is what a response does with the session cookie. Responses can arrive
// out of order, and an old value could overwrite a newer one in the browser: so
// the cookie is set, or cleared, for a change that this request made, and
// otherwise left alone.
type cookie struct {
	change change
	token  string // of setCookie
}

type change int

const (
	leaveAlone change = iota
	setCookie
	clearCookie
)

// give returns the cookie for a session's token.
func (s *request) give(t token) cookie {
	s.issue(t)
	return cookie{setCookie, t.String()}
}

// write writes the cookie into the header of the response.
func (s *request) write(c cookie) {
	if s.came.header {
		return
	}
	switch c.change {
	case leaveAlone:
		return
	case setCookie:
		s.m.sm.WriteSessionCookie(s.ctx, s.w, c.token, s.m.sm.Deadline(s.ctx))
	case clearCookie:
		s.m.sm.WriteSessionCookie(s.ctx, s.w, "", time.Time{})
	}
	all := s.w.Header()["Set-Cookie"]
	for outer := s.outer; outer != nil; outer = outer.outer {
		outer.keepInner(all[len(all)-1])
	}
}

// rememberKey is the one under which scs keeps what RememberMe was told.
const rememberKey = "__rememberMe"

// cookieExpiry returns when the session's cookie expires in the browser; zero for
// a cookie that goes when the browser is closed. It is the absolute timeout: the
// idle one is the store's alone to enforce.
func (m *Manager) cookieExpiry(ctx context.Context, deadline time.Time) time.Time {
	if !m.sm.Cookie.Persist && !m.sm.GetBool(ctx, rememberKey) {
		return time.Time{}
	}
	return deadline
}

// rescheduled reports whether this request has changed how long the browser is to
// keep the cookie that came.
func (s *request) rescheduled(ctx context.Context) bool {
	return !s.m.cookieExpiry(ctx, s.m.sm.Deadline(ctx)).Equal(s.came.cookieExpires)
}

// A commit stores what scs has encoded. The save step hands one to scs's Commit in
// the context, and the router calls it: so no other Commit is taken for it.
type commit func(ctx context.Context, key string, data []byte, expiry time.Time) error

type commitKey struct{}

// commit stores the session's data through scs, which gives it a token if it has
// none, and returns that token.
func (s *request) commit(ctx context.Context, store commit) (token string, err error) {
	reached := false
	var write commit = func(ctx context.Context, key string, data []byte, expiry time.Time) error {
		reached = true
		return store(ctx, key, data, expiry)
	}
	token, _, err = s.m.sm.Commit(context.WithValue(context.WithoutCancel(ctx), commitKey{}, write))
	switch {
	case reached:
		return token, err
	case err == nil:
		return "", errStoreReplaced
	}
	return "", errEncoding(err)
}

// freshenToken makes sure that the session is saved under another token than
// the one the client presented.
func (s *request) freshenToken(ctx context.Context) error {
	if s.came.token == "" || s.m.sm.Token(ctx) != s.came.token {
		return nil
	}
	deadline := s.m.sm.Deadline(ctx)
	if err := s.m.sm.RenewToken(ctx); err != nil {
		return err
	}
	if !deadline.Equal(s.came.deadline) { // the handler has set it
		s.m.sm.SetDeadline(ctx, deadline)
	}
	return nil
}

// releaseVisitor deletes the visitor's session that this request came with and
// that goes on under another token. If that fails, it expires by itself.
func (s *request) releaseVisitor(ctx context.Context) {
	if s.came.token == "" || s.came.id != "" {
		return
	}
	if err := s.m.router.deleteVisitor(context.WithoutCancel(ctx), s.m.router.key(s.came.token)); err != nil {
		s.storeFailed(failed("delete visitor's session", err))
	}
}
