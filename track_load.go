package revoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Limits on which cookies of the session's name are looked up.
const (
	maxCookies = 4
	maxCookie  = 256 // bytes
)

// grace is how long requests and answers may be on their way.
const grace = time.Minute

// opened is what a cookie opens: a session, loaded into ctx, or nothing if ctx is
// nil. Then why and retired say what is known of its session.
type opened struct {
	ctx        context.Context
	came       arrival
	at         membership
	why        *RevokedError // it was revoked
	unreadable error         // its data cannot be decoded
	user       string        // the user key of what was revoked, or cannot be decoded
	retired    *retirement
}

// A retirement is a session that a token has opened until its last renewal was
// used.
type retirement struct {
	record store.Record
	userID string // whom its data names, if that can be read
}

// load finds the first cookie that opens a session, and loads that session. If no
// cookie does, the request is a new visitor's.
//
// After the cookie of a revoked session only one of the same user's opens anything:
// another host of the same site can set a cookie of the name, and the browser would
// act for whoever did so as soon as the user's own session is over. If data cannot be
// decoded, another node may be able to, so nothing is cleared.
func (s *request) load() error {
	if err := s.m.checkSettings(); err != nil {
		return err
	}
	if presented, named := s.m.bearer(s.http); named {
		return s.loadBearer(presented)
	}
	var none opened // what is known of the cookies that open nothing
	tried := 0
	for cookie := range s.cookies() {
		if cookie == "" || len(cookie) > maxCookie {
			continue
		}
		if tried++; tried > maxCookies {
			none.came.newer = true // it may be a live one
			break
		}
		o, err := s.open(cookie)
		switch {
		case err != nil:
			return failed("load session", err)
		case o.ctx != nil && none.user != "" && (o.at.record == nil || o.at.record.User != none.user):
			continue
		case o.ctx != nil:
			s.ctx, s.came, s.at = o.ctx, o.came, o.at
			return nil
		case o.unreadable != nil && none.unreadable == nil:
			none.unreadable, none.user = o.unreadable, cmp.Or(none.user, o.user)
		case o.why != nil && none.why == nil:
			none.why, none.user = o.why, cmp.Or(none.user, o.user)
		case o.retired != nil:
			none.came.retired = o.retired
			none.came.newer = none.came.newer || time.Since(o.retired.record.UsedAt) < grace
		}
	}
	if none.unreadable != nil {
		return failed("load session", none.unreadable)
	}
	ctx, err := s.decode("", nil)
	s.ctx, s.came, s.at = ctx, none.came, membership{why: none.why}
	return failed("load session", err)
}

// cookies yields the values of the cookies of the session's name.
func (s *request) cookies() iter.Seq[string] {
	return func(yield func(string) bool) {
		name, lines := s.m.sm.Cookie.Name, s.http.Header["Cookie"]
		if len(lines) == 1 { // that one token is all there is needs no parser
			value, isFirst := strings.CutPrefix(lines[0], name+"=")
			if _, isToken := parseToken(value); isFirst && isToken {
				yield(value)
				return
			}
		}
		for _, cookie := range s.http.CookiesNamed(name) {
			if !yield(cookie.Value) {
				return
			}
		}
	}
}

// open opens the session of one cookie: it looks the cookie up, and has scs decode
// what was found.
func (s *request) open(cookie string) (opened, error) {
	t, isTracked := parseToken(cookie)
	if !isTracked {
		return s.openVisitor(cookie)
	}
	presented := store.HashSecret(t.secret)
	record, err := s.m.find(s, t.user, t.id, presented)
	if err != nil {
		return s.opensNothing(record, err)
	}
	return s.openSession(arrival{token: cookie, presented: presented}, record)
}

// openVisitor opens a session of the visitors' store. If its data names a user, the
// session is one from before revoke came.
func (s *request) openVisitor(cookie string) (opened, error) {
	key := s.m.router.key(cookie)
	data, found, err := s.m.router.findVisitor(s, key)
	if err != nil || !found {
		return opened{}, err
	}
	ctx, err := s.decode(cookie, data)
	if err != nil {
		return s.cannotRead(store.Record{}, err)
	}
	deadline := s.m.sm.Deadline(ctx)
	came := arrival{token: cookie, data: data, deadline: deadline, cookieExpires: s.m.cookieExpiry(ctx, deadline)}
	if !came.deadline.After(time.Now()) {
		return opened{}, nil
	}
	if s.m.userID(ctx) != "" {
		return s.openOld(came, key)
	}
	if !came.cookieExpires.IsZero() && s.m.isFromPlainSCS(data) {
		came.cookieExpires = time.Now() // or within the idle timeout, which each response put off
	}
	return opened{ctx: ctx, came: came}, nil
}

// openOld opens the session that an old one was adopted as.
func (s *request) openOld(came arrival, key string) (opened, error) {
	o, _, err := s.m.router.identifyOld(key, came.data)
	if err != nil {
		return opened{}, err
	}
	record, err := s.m.router.openOld(s, o, func() client { return s.m.describedClient(s.http) })
	if err != nil {
		return s.opensNothing(record, err)
	}
	return s.openSession(arrival{token: came.token, presented: o.tag.secret(), old: &o}, record)
}

// openSession loads a session that was found.
func (s *request) openSession(came arrival, record store.Record) (opened, error) {
	ctx, err := s.decode(came.token, record.Data)
	if err != nil {
		return s.cannotRead(record, err)
	}
	userID := s.m.userID(ctx)
	came.id, came.data, came.deadline = record.ID, record.Data, s.m.keepDeadline(ctx, record)
	came.cookieExpires = s.m.cookieExpiry(ctx, came.deadline)
	switch {
	case !came.deadline.After(time.Now()):
		return opened{}, nil
	case !s.m.isUserKey(record.User, userID):
		s.undecodable(record.ID, errOtherUser)
		return opened{}, nil
	}
	s.loaded = record
	return opened{ctx: ctx, came: came, at: membership{standing: live, record: &s.loaded, userID: userID}}, nil
}

// opensNothing says what is known of a cookie that a look-up has found to open
// nothing, or returns the error with which the store failed.
func (s *request) opensNothing(record store.Record, err error) (opened, error) {
	switch {
	case errors.Is(err, store.ErrUnknownKey):
		return opened{}, err
	case errors.Is(err, store.ErrTampered):
		s.undecodable(record.ID, err)
		return opened{}, nil
	case errors.Is(err, store.ErrRevoked):
		s.revokedTokenUsed(record)
		return opened{why: revokedError(record), user: record.User}, nil
	case errors.Is(err, store.ErrStale):
		r := &retirement{record: record, userID: s.m.userOf(record)}
		s.retiredTokenUsed(r)
		return opened{retired: r}, nil
	}
	return opened{}, ignoreEnded(err)
}

// cannotRead raises that a session's data cannot be decoded. A mistake in the program
// it returns as the error.
func (s *request) cannotRead(record store.Record, err error) (opened, error) {
	if errors.Is(err, ErrMisconfigured) {
		return opened{}, err
	}
	s.undecodable(record.ID, err)
	return opened{unreadable: fmt.Errorf("%w: %w", errUnreadable, err), user: record.User}, nil
}

// decode has scs decode the data that a cookie opens, and put it into the context.
// An empty cookie opens a new session.
func (s *request) decode(cookie string, data []byte) (context.Context, error) {
	s.handed = handed{key: s.m.router.key(cookie), data: data}
	ctx, err := s.m.sm.Load(s, cookie)
	taken := s.handed.taken
	s.handed = handed{}
	switch {
	case err != nil:
		return nil, err
	case ctx == context.Context(s):
		return nil, errOutside
	case cookie != "" && !taken:
		return nil, errStoreReplaced
	}
	return ctx, nil
}

// keepDeadline gives the session the deadline that the store holds for it, and
// returns it. The data may say another: a request that was under way when the
// deadline was set has saved the one before.
func (m *Manager) keepDeadline(ctx context.Context, record store.Record) time.Time {
	deadline := m.sm.Deadline(ctx)
	if record.Deadline.IsZero() || record.Deadline.Equal(deadline.Truncate(time.Microsecond)) {
		return deadline
	}
	m.sm.SetDeadline(ctx, record.Deadline)
	return record.Deadline
}
