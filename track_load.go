package revoke

import (
	"context"
	"errors"
	"time"

	"github.com/revoke-sessions/revoke/internal/codec"
	"github.com/revoke-sessions/revoke/store"
)

// Limits on which cookies of the session's name are looked up.
const (
	maxCookies = 4
	maxCookie  = 256 // bytes
)

// staleGrace is how long after a renewal requests may still bring the old token.
const staleGrace = time.Minute

// A finding is what a look-up has found behind a cookie: the data of a session,
// or else why the cookie opens nothing.
type finding struct {
	data     []byte        // as it is stored; nil if the cookie opens nothing
	record   *store.Record // nil for a visitor's session
	leftover leftover
	why      *RevokedError // the session was revoked
}

// A leftover is a cookie that opened nothing and that the response may have to
// deal with. Of several, the greatest counts.
type leftover int

const (
	nothing    leftover = iota // or nothing that is known
	unreadable                 // its data cannot be read: the response clears it
	superseded                 // its session may have a newer one: the response leaves it alone
)

// opened is a cookie's session, loaded: ctx has its data. If the cookie opens
// nothing, ctx is nil, and leftover and why say what is known of it.
type opened struct {
	ctx  context.Context
	came arrival
	at   membership
}

// load finds the first cookie that opens a session, and loads that session. If no
// cookie does, the request is a new visitor's.
func (s *request) load() error {
	base := context.WithValue(s.http.Context(), requestKey{s.m}, s)
	var left opened // of the cookies that opened nothing
	tried := 0
	for _, cookie := range s.http.CookiesNamed(s.m.sm.Cookie.Name) {
		if cookie.Value == "" || len(cookie.Value) > maxCookie {
			continue
		}
		if tried++; tried > maxCookies {
			left.came.leftover = superseded // it may be a live one
			break
		}
		o, err := s.open(base, cookie.Value)
		switch {
		case err != nil:
			return failed("load session", err)
		case o.ctx != nil:
			s.ctx, s.came, s.at = o.ctx, o.came, o.at
			return nil
		}
		left.came.leftover = max(left.came.leftover, o.came.leftover)
		if o.at.why != nil {
			left.at.why = o.at.why
		}
	}
	ctx, err := s.decode(base, "", nil)
	s.ctx, s.came, s.at = ctx, left.came, left.at
	return failed("load session", err)
}

// open opens the session of one cookie: it looks the cookie up, and has scs decode
// what was found.
func (s *request) open(base context.Context, cookie string) (opened, error) {
	found, err := s.lookUp(base, cookie)
	if err != nil || found.data == nil {
		return opened{came: arrival{leftover: found.leftover}, at: membership{why: found.why}}, err
	}
	ctx, err := s.decode(base, cookie, found.data)
	switch {
	case errors.Is(err, errNested):
		return opened{}, err
	case err != nil:
		return s.cannotRead(base, found, err), nil
	}
	came := arrival{token: cookie, data: found.data, deadline: s.m.sm.Deadline(ctx), cookieExpires: s.m.cookieExpiry(ctx)}
	userID := s.m.userID(ctx)
	switch {
	case !came.deadline.After(time.Now()):
		// A deadline that was brought forward can be undone in the store by a
		// request that was under way; in the data it stands.
		return opened{}, nil
	case found.record != nil && userKey(userID) != found.record.User:
		return s.cannotRead(base, found, errOtherUser), nil
	case found.record != nil:
		return opened{ctx, came, membership{standing: live, record: found.record, userID: userID}}, nil
	case userID != "":
		return s.adopt(base, came, userID)
	case s.m.sm.Exists(ctx, pointerKey):
		return s.follow(base, came, s.m.sm.GetString(ctx, pointerKey))
	}
	if !came.cookieExpires.IsZero() && s.m.isFromPlainSCS(found.data) {
		came.cookieExpires = time.Now() // or within the idle timeout, which each response put off
	}
	return opened{ctx, came, membership{}}, nil
}

// lookUp finds what a cookie opens. The data that it returns is not nil.
func (s *request) lookUp(ctx context.Context, cookie string) (finding, error) {
	t, isTracked := parseToken(cookie)
	if !isTracked {
		data, found, err := s.m.router.findVisitor(ctx, s.m.router.key(cookie))
		if err != nil || !found {
			return finding{}, err
		}
		return finding{data: notNil(data)}, nil
	}
	record, err := s.m.find(ctx, t)
	switch {
	case err == nil:
		return finding{data: notNil(record.Data), record: &record}, nil
	case errors.Is(err, store.ErrUnknownKey):
		return finding{}, err
	case errors.Is(err, store.ErrTampered):
		s.emit(ctx, Event{Kind: Undecodable, SessionID: t.id, Err: err})
		return finding{leftover: unreadable}, nil
	case errors.Is(err, store.ErrStale) && time.Since(record.SeenAt) < staleGrace+s.m.touchInterval():
		// A newer token that is in use keeps its session seen. One whose response
		// was lost does not, and what the visitor leaves needs a new cookie.
		return finding{leftover: superseded}, nil
	case errors.Is(err, store.ErrRevoked):
		s.revokedTokenUsed(record)
		return finding{why: revokedError(record)}, nil
	}
	return finding{}, ignoreEnded(err)
}

// notNil tells data that is empty from no data.
func notNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// decode has scs decode the data that a cookie opens, and put it into the context.
// An empty cookie opens a new session.
func (s *request) decode(base context.Context, cookie string, data []byte) (context.Context, error) {
	s.handed = handed{s.m.router.key(cookie), data}
	ctx, err := s.m.sm.Load(base, cookie)
	s.handed = handed{}
	if err == nil && ctx == base {
		return nil, errNested
	}
	return ctx, err
}

// cannotRead raises that a cookie's data cannot be read, and opens nothing.
func (s *request) cannotRead(ctx context.Context, found finding, err error) opened {
	e := Event{Kind: Undecodable, Err: err}
	if found.record != nil {
		e.SessionID = found.record.ID
	}
	s.emit(ctx, e)
	return opened{came: arrival{leftover: unreadable}}
}

// isFromPlainSCS reports whether a visitor's data was stored before revoke came.
// Under a codec of the application's own that cannot be told.
func (m *Manager) isFromPlainSCS(data []byte) bool {
	_, ours := m.sm.Codec.(Codec)
	return ours && codec.IsGob(data)
}
