package revoke

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/store"
)

// A request proves its session by one thing. If its Authorization header names a bearer
// token (RFC 6750), that token counts and nothing else does: the cookie is not read, set
// or cleared, whatever becomes of the token. So no other site can use such a request,
// and the handlers that revoke let it come from any.

// A credential says by what a request holds its session.
type credential int

const (
	byCookie        credential = iota
	byToken                    // of Issue: in the header, or issued in this request
	byAuthenticated            // another bearer token, which Authenticate knows
)

var errSignInByHeader = fmt.Errorf("revoke: %w: a request whose Authorization header names a token cannot sign in by a cookie: use Issue", ErrMisconfigured)

// bearerToken returns what the Authorization header has after "Bearer", and reports
// whether it names a token at all. Several headers name one that opens nothing.
func bearerToken(h http.Header) (token string, named bool) {
	values := h["Authorization"]
	for _, value := range values {
		scheme, rest := value, ""
		if i := strings.IndexAny(value, " \t"); i >= 0 {
			scheme, rest = value[:i], strings.TrimLeft(value[i:], " ")
		}
		if strings.EqualFold(scheme, "Bearer") {
			token, named = rest, true
		}
	}
	if len(values) > 1 {
		token = ""
	}
	return token, named
}

// bearer is bearerToken for a manager that takes tokens.
func (m *Manager) bearer(r *http.Request) (token string, named bool) {
	if !m.takesTokens() {
		return "", false
	}
	return bearerToken(r.Header)
}

func (m *Manager) takesTokens() bool { return m.Bearer || m.Authenticate != nil }

// loadBearer is load for a request whose header names a token.
func (s *request) loadBearer(presented string) error {
	var o opened
	var err error
	if _, isOurs := parseToken(presented); isOurs && s.m.Bearer {
		o, err = s.openToken(presented)
	} else if s.m.Authenticate != nil && presented != "" {
		o, err = s.openAuthenticated()
	}
	switch {
	case err != nil:
		return failed("load session", err)
	case o.unreadable != nil:
		return failed("load session", o.unreadable)
	case o.ctx == nil:
		o.ctx, err = s.decode("", nil)
		o.came, o.at = arrival{retired: o.retired}, membership{why: o.why}
	}
	o.came.header = true
	s.ctx, s.came, s.at = o.ctx, o.came, o.at
	return failed("load session", err)
}

// openToken opens the session of a token of Issue.
func (s *request) openToken(presented string) (opened, error) {
	t, isToken := parseToken(presented)
	secret, isChained := parseChainSecret(t.secret)
	if !isToken || !isChained {
		return opened{}, nil
	}
	record, err := s.accept(s, t, secret)
	switch {
	case errors.Is(err, store.ErrStale):
		return opened{retired: &retirement{record: record, userID: s.m.userOf(record)}}, nil
	case err != nil:
		return s.opensNothing(record, err)
	}
	o, err := s.openSession(arrival{token: presented, presented: secret.hash()}, record)
	o.at.by = byToken
	return o, err
}

// openAuthenticated opens the session of which Authenticate says that the token names
// it. Its data stays in the store: the request has the user ID and nothing else.
func (s *request) openAuthenticated() (opened, error) {
	userID, sid, err := s.m.Authenticate(s.http)
	var record store.Record
	if err == nil {
		user, id, ok := parseSID(sid)
		if !ok || userID == "" || !s.m.isUserKey(user, userID) {
			return opened{}, nil
		}
		record, err = liveIn(s, s.m.sessions, user, id)
	}
	var why *RevokedError
	switch {
	case errors.As(err, &why):
		return opened{why: why}, nil
	case errors.Is(err, ErrUnauthenticated):
		return opened{}, nil
	case err != nil:
		return opened{}, err
	}
	record.Data = nil
	ctx, err := s.decode("", nil)
	if err == nil {
		s.m.sm.Put(ctx, s.m.UserIDKey, userID)
	}
	at := membership{standing: live, by: byAuthenticated, record: &record, userID: userID}
	return opened{ctx: ctx, came: arrival{id: record.ID}, at: at}, err
}

// saveBearer is the save step of a request that holds its session by a token, or whose
// token opens nothing. It has no way to hand over another token, so it signs nobody in,
// and a session goes on under the token that it has.
//
//	in a session | data names      | so
//	-------------+-----------------+-----------------------------
//	yes          | its user        | update, or else touch
//	yes          | nobody          | logOut
//	yes          | another user    | logOut, and errSignInByHeader
//	no           | nobody          | nothing is saved
//	no           | a user          | errSignInByHeader
func (s *request) saveBearer(ctx context.Context, left left) (cookie, error) {
	at := s.membership()
	if at.standing == live && left.userID != at.userID {
		if err := s.logOut(ctx, at); err != nil && !errors.Is(err, ErrNotReplicated) {
			return cookie{}, err
		}
	}
	switch after := s.membership(); {
	case after.standing == overruled && left.userID != "":
		return cookie{}, s.refuse(ctx, left.userID, after.why)
	case after.standing != live && left.userID != "":
		return cookie{}, errSignInByHeader
	case after.standing != live:
		return s.drop(left), nil
	}
	if clean, err := s.takeOver(ctx, left); err != nil || !clean {
		return s.drop(left), err
	}
	if at.by == byAuthenticated {
		return s.drop(left), s.saveAuthenticated(ctx, at)
	}
	return s.drop(left), s.saveToken(ctx, left, at)
}

// saveToken updates the session of a token of Issue, or notes its use.
func (s *request) saveToken(ctx context.Context, left left, at membership) error {
	err := errUnchanged
	moved := s.hasMoved(at)
	if left.status == scs.Modified {
		_, err = s.update(ctx, *at.record, keepsToken)
	}
	switch {
	case errors.Is(err, errUnchanged):
		_, err = s.touch(ctx, at)
		return err
	case err == nil && moved:
		s.addressChanged(ctx, at)
		return nil
	case err == nil || errors.Is(err, store.ErrStale): // its next token is in use
		return nil
	case ignoreEnded(err) != nil:
		return failed("save session", err)
	}
	s.overrule(nil)
	if s.wishes().proof != unproven || left.token != s.came.token && s.came.token != "" {
		return s.refuse(ctx, at.userID, nil)
	}
	return nil
}

// saveAuthenticated notes the use of a session whose data is not at hand. Of the client
// it notes nothing: behind a gateway, the peer is the gateway.
func (s *request) saveAuthenticated(ctx context.Context, at membership) error {
	ctx = context.WithoutCancel(ctx)
	now, err := now(), error(nil)
	switch {
	case s.wishes().proof != unproven:
		if err = s.noteProof(ctx, at, now); ignoreEnded(err) != nil {
			return failed("save session", err)
		}
	case now.Sub(at.record.SeenAt) >= s.m.touchInterval():
		err = s.m.sessions.Touch(ctx, at.record.User, at.record.ID, store.Touch{SeenAt: now, ExpiresAt: at.record.ExpiresAt})
	}
	switch {
	case err == nil:
		return nil
	case ignoreEnded(err) != nil:
		s.storeFailed(failed("touch session", err))
		return nil
	}
	s.overrule(nil)
	if s.wishes().proof != unproven {
		return s.refuse(ctx, at.userID, nil)
	}
	return nil
}

func (s *request) noteProof(ctx context.Context, at membership, proved time.Time) error {
	record, err := s.m.sessions.Find(ctx, at.record.User, at.record.ID)
	if err != nil {
		return err
	}
	record.ProvedAt, record.Deadline = proved, time.Time{} // the one that is stored stays
	return s.m.sessions.Update(ctx, record, record.Secret)
}

// Require answers 401 to requests that have no session, and passes the others to next,
// under Track.
func (m *Manager) Require(next http.Handler) http.Handler {
	return m.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := m.Err(r.Context()); err != nil {
			m.answer(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// answer answers with an error, and with the challenge of RFC 6750, section 3, if the
// client could have come with a token.
func (m *Manager) answer(w http.ResponseWriter, r *http.Request, err error) {
	p := ProblemOf(err)
	if p.Status == http.StatusUnauthorized && m.takesTokens() {
		challenge := "Bearer"
		if _, named := m.bearer(r); named {
			challenge = `Bearer error="invalid_token"`
			if p.Code == codeSessionRevoked {
				challenge += `, error_description="session revoked"`
			}
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	p.Write(w)
}

// Open opens the session of a call that has no HTTP response and is not under Track: a
// gRPC call, or the first message on a socket. It reads the headers of r and its
// RemoteAddr. It takes bearer tokens, and no cookies.
//
// Pass the context that it returns to Current, List, Revoke, RevokeOthers, Rotate and
// Watch, and to scs to read the session's data. What you put there is saved only if you
// call [scs.SessionManager.Commit].
//
// If there is no session, the error is the one of [Manager.Err]. Any other error means
// that the check failed: the session may be live.
func (m *Manager) Open(r *http.Request) (context.Context, error) {
	ctx := r.Context()
	if m.request(ctx) != nil {
		return ctx, m.misconfigured(ctx, "Open is called under Track, which has opened the session")
	}
	if err := m.checkSettings(); err != nil {
		return ctx, err
	}
	s := &request{Context: ctx, m: m, http: r, outer: tracked(ctx), began: now()}
	presented, _ := bearerToken(r.Header)
	if err := s.loadBearer(presented); err != nil {
		s.storeFailed(err)
		return ctx, err
	}
	s.http = r.WithContext(s.ctx)
	s.enter(saved)
	if at := s.membership(); at.by == byToken {
		_, _ = s.touch(s.ctx, at)
	} else if at.by == byAuthenticated {
		_ = s.saveAuthenticated(s.ctx, at)
	}
	return s.ctx, m.Err(s.ctx)
}

// SID returns the name of a session for [Manager.Live]: its user key and its id. An
// access token that is minted from a session has it as its claim sid. It opens nothing.
func (m *Manager) SID(s Session) string { return m.userKey(s.UserID) + "." + s.ID }

// Live says whether the session that a SID names is live. It returns nil if it is, a
// [*RevokedError] if it was revoked, and [ErrUnauthenticated] if there is none or sid is
// malformed. Any other error means that the check failed: the session may be live. Over a
// store of [store.Lease] it may answer from memory.
func (m *Manager) Live(ctx context.Context, sid string) error { return LiveIn(m.sessions)(ctx, sid) }

// LiveIn is [Manager.Live] for a server that has the store but no Manager, such as one
// that verifies access tokens.
func LiveIn(st store.Store) func(ctx context.Context, sid string) error {
	return func(ctx context.Context, sid string) error {
		user, id, ok := parseSID(sid)
		if !ok {
			return ErrUnauthenticated
		}
		_, err := liveIn(ctx, st, user, id)
		return err
	}
}

func parseSID(sid string) (user, id string, ok bool) {
	if len(sid) != 2*keyLength+1 || sid[keyLength] != '.' {
		return "", "", false
	}
	user, id = sid[:keyLength], sid[keyLength+1:]
	return user, id, validID(user) && validID(id)
}

// liveIn returns a live session, with its data or without.
func liveIn(ctx context.Context, st store.Store, user, id string) (store.Record, error) {
	find := st.Find
	if leased, ok := st.(*store.Leased); ok {
		find = leased.Live
	}
	record, err := find(ctx, user, id)
	switch {
	case errors.Is(err, store.ErrRevoked):
		return store.Record{}, revokedError(record)
	case errors.Is(err, store.ErrNotFound), err == nil && isReserved(record):
		return store.Record{}, ErrUnauthenticated
	case err != nil:
		return store.Record{}, failed("look up session", err)
	}
	return record, nil
}
