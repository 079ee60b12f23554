package revoke

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Issue signs the user in as Login does, for a client that keeps its token itself: a
// mobile app, a command-line tool, another server. It returns the token. From then on
// the client sends it as "Authorization: Bearer <token>": see [Manager.Bearer]. The
// session is created at once, and no cookie is set.
//
//   - If the request has no session, it gets the new one. What its handler puts into the
//     scs data, before or after, is saved with the session.
//   - If the request has a session, as when a browser pairs a command-line tool, the new
//     session is a separate one, with no data but its user. If the request's session was
//     revoked meanwhile, Issue ends the new one and returns the error of [Manager.Err].
//   - Outside of Track, the sign-in begins when Issue is called. The session has no
//     address and no user agent until it is used.
//
// If all of the user's sessions were revoked after the sign-in began, it is refused with
// a [*RevokedError]. Any other error is [ErrMisconfigured], or means that the store
// failed.
func (m *Manager) Issue(ctx context.Context, userID string) (token string, err error) {
	if userID == "" {
		return "", errors.New("revoke: issue: empty user ID")
	}
	s := m.request(ctx)
	if s == nil {
		return m.issueBeside(ctx, userID, nil)
	}
	if s.begun() {
		return "", m.misconfigured(ctx, "Issue is called after the response has begun")
	}
	acting, _ := m.current(ctx)
	switch at := s.membership(); {
	case acting != nil:
		return m.issueBeside(ctx, userID, acting)
	case at.standing == overruled:
		return "", m.Err(ctx)
	case s.wishes().proof == loggedIn:
		return "", m.misconfigured(ctx, "Issue is called after Login: a request signs in by a cookie or by a token")
	case at.standing == live: // its data names nobody any more
		if err := s.logOut(ctx, at); err != nil && !errors.Is(err, ErrNotReplicated) {
			return "", err
		}
	}
	token, err = s.issueHere(ctx, userID)
	if err != nil && m.userID(ctx) != "" {
		s.isWrong(err) // or the save step would sign the user in by a cookie
	}
	return token, err
}

// issueHere issues a token of a session that has the data of the request, which goes on
// as one of that session.
func (s *request) issueHere(ctx context.Context, userID string) (string, error) {
	sm := s.m.sm
	values := make(map[string]any)
	for _, key := range sm.Keys(ctx) {
		values[key] = sm.Get(ctx, key)
	}
	named := s.m.idOf(values) == userID
	if !named {
		if s.m.UserID != nil {
			return "", s.m.misconfigured(ctx, "Issue is called before the session has the value in which Manager.UserID finds the user")
		}
		values[s.m.UserIDKey] = userID
	}
	deadline := sm.Deadline(ctx)
	if deadline.Equal(s.came.deadline) { // a visitor's, which nobody has set
		deadline = time.Now().Add(sm.Lifetime).UTC()
		sm.SetDeadline(ctx, deadline)
	}
	record, token, err := s.m.create(ctx, userID, s.signInBegan(s.m.userKey(userID)), deadline, values, nil)
	if err != nil {
		return "", err
	}
	if !named {
		sm.Put(ctx, s.m.UserIDKey, userID)
	}
	s.releaseVisitor(ctx)
	s.hold(&record, userID)
	return token, nil
}

// issueBeside issues a token of a session that has nothing to do with the request's own,
// but that the acting session, if there is one, has to outlive its creation: a revoked
// session issues nothing.
func (m *Manager) issueBeside(ctx context.Context, userID string, acting *store.Record) (string, error) {
	if m.UserID != nil {
		return "", m.misconfigured(ctx, "with Manager.UserID, Issue has to be called in a request without a session: else it does not know what names the user")
	}
	values, began := map[string]any{m.UserIDKey: userID}, now()
	if acting != nil {
		began = m.request(ctx).signInBegan(m.userKey(userID))
		if m.userID(ctx) == userID {
			values[m.UserIDKey] = m.sm.Get(ctx, m.UserIDKey) // in the type that the application has it in
		}
	}
	record, token, err := m.create(ctx, userID, began, time.Now().Add(m.sm.Lifetime), values, acting)
	if err != nil || acting == nil {
		return token, err
	}
	_, err = m.sessions.Find(context.WithoutCancel(ctx), acting.User, acting.ID)
	if err == nil {
		return token, nil
	}
	if _, unended := m.endOne(ctx, record.User, record.ID, ReasonRevoked); unended != nil {
		m.storeFailed(ctx, failed("issue", unended)) // its token goes to nobody
	}
	if ignoreEnded(err) != nil {
		return "", failed("issue", err)
	}
	return "", m.actorRevoked(ctx, m.request(ctx), acting)
}

// create creates the session of a new token.
func (m *Manager) create(ctx context.Context, userID string, began, deadline time.Time, values map[string]any, acting *store.Record) (store.Record, string, error) {
	data, err := m.sm.Codec.Encode(deadline, values)
	if err != nil {
		return store.Record{}, "", failed("issue", errEncoding(err))
	}
	secret, at := newChainSecret(), now()
	t := token{user: m.userKey(userID), id: newID(), secret: secret.String()}
	var c client
	if s := m.request(ctx); s != nil {
		c = m.describedClient(s.http)
	}
	c.Family = secret.family()
	record := store.Record{
		User: t.user, ID: t.id, Secret: secret.hash(), Prev: newSeed(store.Hash{}), RenewedAt: at, UsedAt: at,
		CreatedAt: began, SeenAt: at, ProvedAt: at,
		ExpiresAt: m.expiry(deadline), Deadline: deadline.Truncate(time.Microsecond),
		Client: c.encode(), Data: data,
	}
	evicted, err := m.sessions.Create(context.WithoutCancel(ctx), record, store.Limit{Max: m.MaxPerUser})
	var marked *store.MarkedError
	switch {
	case errors.As(err, &marked):
		why := &RevokedError{At: marked.Mark.At, Reason: marked.Mark.Reason, By: marked.Mark.By}
		m.emit(ctx, Event{Kind: SignInRefused, UserID: userID, ActorID: why.By, Reason: why.Reason, Token: true})
		return store.Record{}, "", why
	case err != nil:
		err = failed("issue", err)
		m.storeFailed(ctx, err)
		return store.Record{}, "", err
	}
	actor := record.ID
	if acting != nil {
		actor = acting.ID
	}
	m.emit(ctx, Event{Kind: SignedIn, UserID: userID, SessionID: record.ID, ActorID: actor, Count: 1, Token: true})
	m.evicted(ctx, userID, record.ID, evicted)
	return record, t.String(), nil
}

// Rotate returns the token that follows the one of the request. The client keeps it in
// the old one's place. Rotate writes nothing, and returns the same token each time. The
// first use of that token ends the old one.
//
// So if a client loses an answer, it asks again. If it keeps the new token before it uses
// it, no rotation signs it out. If a token has just followed another, it is its own
// successor for [Manager.ReuseGrace].
//
// The request must come with a token of Issue. If it has no session, the error is the
// one of [Manager.Err].
func (m *Manager) Rotate(ctx context.Context) (string, error) {
	record, _ := m.current(ctx)
	if record == nil {
		return "", m.Err(ctx)
	}
	s := m.request(ctx)
	t, isToken := parseToken(s.came.token)
	if s.membership().by != byToken || !isToken || t.id != record.ID {
		return "", m.misconfigured(ctx, "Rotate is called in a request that did not come with a token of Issue")
	}
	return m.following(t, *record), nil
}

// following returns the token that is offered after the session's present one, or that
// one itself.
func (m *Manager) following(t token, record store.Record) string {
	if !follows(record.Prev, store.Hash{}) && m.isYoung(record) {
		return t.String()
	}
	secret, _ := parseChainSecret(t.secret) // which has opened the session
	t.secret = secret.next(record.Prev).String()
	return t.String()
}

// Refresh is Rotate for a token of Issue that came in the body of a request, as at a token
// endpoint, and not in the Authorization header. It notes that the client of r has used
// the session. It returns the session and the token that follows.
//
// Each call counts at the Limiter: by session, or by the client's network if the token
// opens nothing. The error is a [*RevokedError] if the session was revoked before,
// [ErrUnauthenticated] if the token opens nothing or its session ends meanwhile, and a
// [*RateLimitedError] if there were too many calls. Any other error means that the check
// failed: the session may be live.
func (m *Manager) Refresh(r *http.Request, presented string) (Session, string, error) {
	ctx := r.Context()
	s := &request{Context: ctx, m: m, http: r}
	t, isToken := parseToken(presented)
	secret, isChained := parseChainSecret(t.secret)
	if !isToken || !isChained {
		return Session{}, "", cmp.Or(m.limitRefresh(r, ""), ErrUnauthenticated)
	}
	record, err := s.accept(ctx, t, secret)
	known := ""
	if err == nil || errors.Is(err, store.ErrRevoked) {
		known = t.id
	}
	if ignoreEnded(err) == nil {
		if err := m.limitRefresh(r, known); err != nil {
			return Session{}, "", err
		}
	}
	if errors.Is(err, store.ErrStale) {
		return Session{}, "", ErrUnauthenticated
	}
	if err != nil {
		o, err := s.opensNothing(record, err)
		switch {
		case err != nil:
			err = failed("refresh", err)
			s.storeFailed(err)
			return Session{}, "", err
		case o.why != nil:
			return Session{}, "", o.why
		}
		return Session{}, "", ErrUnauthenticated
	}
	deadline, values, err := m.sm.Codec.Decode(record.Data)
	if err != nil {
		_, err = s.cannotRead(record, err)
		return Session{}, "", failed("refresh", err)
	}
	userID := m.idOf(values)
	if !m.isUserKey(record.User, userID) || !deadline.After(time.Now()) {
		return Session{}, "", ErrUnauthenticated
	}
	s.hold(&record, userID)
	if moved, due := s.isTouchDue(s.membership()); due {
		if _, _ = s.touchUntil(ctx, s.membership(), moved, deadline); s.isOverruled(userID) {
			return Session{}, "", ErrUnauthenticated
		}
	}
	return m.session(record, userID, ""), m.following(t, record), nil
}
