package revoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// A Session is one signed-in device of a user, from sign-in to its end, through
// any number of token renewals. It holds nothing that opens the session.
type Session struct {
	ID         string            `json:"id"` // public: for lists, URLs and logs
	UserID     string            `json:"-"`
	Current    bool              `json:"current"` // the session of the request at hand
	Device     string            `json:"device"`
	UserAgent  string            `json:"user_agent"` // at most 512 bytes
	IP         netip.Addr        `json:"ip"`
	Labels     map[string]string `json:"labels,omitempty"` // from Manager.Describe
	CreatedAt  time.Time         `json:"created_at"`
	LastSeenAt time.Time         `json:"last_seen_at"`
	ExpiresAt  time.Time         `json:"expires_at"`
	Token      bool              `json:"token,omitempty"` // it is an app's, with a token of Manager.Issue

	// ProvedAt is when the user last proved who they are in this session, by
	// signing in or by Reauthenticated. It is zero if that is not known.
	ProvedAt time.Time `json:"-"`
}

// Login signs the user in: it gives the session a fresh token and puts userID
// into its data. The session is created when the response begins. If the store
// fails then, the response is an error instead, and the visitor's session is as it
// was. Check the password first.
//
// If the user is signed in already, Login counts as a new proof of who they are.
//
// If all of the user's sessions were revoked after the request arrived, the sign-in is
// refused: the response is then 401 session_revoked.
func (m *Manager) Login(ctx context.Context, userID string) error {
	if userID == "" {
		return errors.New("revoke: log in: empty user ID")
	}
	s := m.request(ctx)
	switch {
	case s == nil:
		return m.misconfigured(ctx, "Login is called outside of Track")
	case s.begun():
		return m.misconfigured(ctx, "Login is called after the response has begun")
	case s.came.header && m.Err(ctx) != nil, s.came.header && s.membership().userID != userID:
		return m.misconfigured(ctx, "Login is called for another user than the one of the token in the Authorization header: use Issue")
	case m.UserID != nil && m.userID(ctx) != userID:
		return m.misconfigured(ctx, "Login is called before the session has the value in which Manager.UserID finds the user")
	}
	if err := m.sm.RenewToken(ctx); err != nil {
		return failed("log in", err)
	}
	if m.UserID == nil {
		m.sm.Put(ctx, m.UserIDKey, userID)
	}
	s.prove(loggedIn)
	return nil
}

// Logout ends the request's session, at once and for good, and drops its data.
// Without a session it drops the visitor's data and returns nil.
//
// If the error is [ErrNotReplicated], the session has ended and the cookie is
// cleared. On any other error the session may still be live.
func (m *Manager) Logout(ctx context.Context) error {
	s := m.request(ctx)
	if s == nil {
		return failed("log out", m.sm.Destroy(ctx))
	}
	s.leave()
	m.forget(ctx)
	var err error
	if at := s.membership(); at.standing == live {
		err = s.logOut(ctx, at)
	} else if s.came.retired != nil {
		err = s.logOutRetired(ctx, s.came.retired)
	}
	// On an error the session stays one of the request's, and the save step tries
	// again, and answers for it.
	if err := m.sm.Destroy(ctx); err != nil {
		return failed("log out", err)
	}
	return err
}

// logOutRetired ends the session that the request's token has opened before its
// last renewal was used. Nobody can have made up that token.
func (s *request) logOutRetired(ctx context.Context, r *retirement) error {
	ended, err := s.m.endOne(ctx, r.record.User, r.record.ID, ReasonLoggedOut)
	if ended {
		s.emit(ctx, Event{Kind: LoggedOut, UserID: r.userID, SessionID: r.record.ID, Reason: ReasonLoggedOut, Count: 1})
	}
	return failed("log out", err)
}

// Current returns the session of a request under Track, as it was loaded. It
// reports false if there is none, if this request has ended it, and if this request
// has just signed in and its response has not yet begun.
func (m *Manager) Current(ctx context.Context) (Session, bool) {
	record, userID := m.current(ctx)
	if record == nil {
		return Session{}, false
	}
	return m.session(*record, userID, record.ID), true
}

func (m *Manager) current(ctx context.Context) (*store.Record, string) {
	s := m.request(ctx)
	if s == nil {
		return nil, ""
	}
	at := s.membership()
	if at.standing != live || m.userID(ctx) != at.userID {
		return nil, ""
	}
	return at.record, at.userID
}

// Err says why a request under Track has no session. It returns nil if it has one, a
// [*RevokedError] if the session of its token was revoked, and otherwise
// [ErrUnauthenticated].
func (m *Manager) Err(ctx context.Context) error {
	if record, _ := m.current(ctx); record != nil {
		return nil
	}
	if s := m.request(ctx); s != nil {
		if why := s.membership().why; why != nil {
			return why
		}
	}
	return ErrUnauthenticated
}

// List returns the user's sessions: the request's own first, then the most
// recently seen. It never returns nil without an error.
func (m *Manager) List(ctx context.Context, userID string) ([]Session, error) {
	records, err := m.sessions.List(ctx, m.userKey(userID))
	if err != nil {
		err = fmt.Errorf("revoke: list sessions: %w", err)
		m.storeFailed(ctx, err)
		return nil, err
	}
	records = slices.DeleteFunc(records, isReserved)
	current := m.actorID(ctx)
	sessions := make([]Session, len(records))
	for i, r := range records {
		sessions[i] = m.session(r, userID, current)
	}
	slices.SortFunc(sessions, func(a, b Session) int {
		switch {
		case a.Current:
			return -1
		case b.Current:
			return 1
		}
		return cmp.Or(b.LastSeenAt.Compare(a.LastSeenAt), cmp.Compare(a.ID, b.ID))
	})
	return sessions, nil
}

func (m *Manager) session(r store.Record, userID, currentID string) Session {
	c := decodeClient(r.Client)
	return Session{
		ID:         r.ID,
		UserID:     userID,
		Current:    r.ID == currentID,
		Device:     m.device(c.UserAgent),
		UserAgent:  c.UserAgent,
		IP:         c.IP,
		Labels:     c.Labels,
		Token:      c.Family != "",
		CreatedAt:  r.CreatedAt.UTC(),
		LastSeenAt: r.SeenAt.UTC(),
		ExpiresAt:  expressible(r.ExpiresAt.UTC()),
		ProvedAt:   r.ProvedAt.UTC(),
	}
}

// expressible returns the latest time that RFC 3339 can express in the place of
// any later one: an application may set any deadline.
func expressible(t time.Time) time.Time {
	if t.Year() > 9999 {
		return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return t
}
