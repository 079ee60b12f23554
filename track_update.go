package revoke

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/store"
)

// A renewal says how an update changes a session's token.
type renewal int

const (
	keepsToken   renewal = iota
	renews               // the token before opens until the new one is used
	renewsAtOnce         // and does not open any more: the user has proved who they are, or the session was merged
)

// renewal decides whether the session's token is to change. After a renewal the
// next one that comes without a proof is skipped for a minute: another answer may be
// on its way, and of two the browser may get the older one last.
func (s *request) renewal(left left, at membership) renewal {
	switch {
	case s.came.id != at.record.ID:
		return renewsAtOnce // merged
	case left.token == s.came.token:
		return keepsToken
	case s.wishes().proof != unproven:
		return renewsAtOnce
	case now().Sub(at.record.RenewedAt) < grace:
		return keepsToken
	default:
		return renews
	}
}

// saveSession updates the session that the request belongs to, if its data has
// changed, and otherwise notes its use.
func (s *request) saveSession(ctx context.Context, left left, at membership) (cookie, error) {
	renewal := s.renewal(left, at)
	if renewal != keepsToken {
		if err := s.freshenToken(ctx); err != nil {
			return cookie{}, err
		}
	} else if left.token != s.came.token {
		s.skipRenewal(left.token)
	}
	if left.status != scs.Modified {
		return s.touch(ctx, at)
	}
	moved := s.hasMoved(at)
	secret, err := s.update(ctx, *at.record, renewal)
	switch {
	case errors.Is(err, errUnchanged):
		return s.touch(ctx, at)
	case ignoreEnded(err) != nil:
		return cookie{}, failed("save session", err)
	case err != nil:
		return s.saveTooLate(ctx, left, at, err)
	}
	if moved {
		s.addressChanged(ctx, at)
	}
	if renewal != keepsToken {
		s.releaseVisitor(ctx)
		s.emit(ctx, Event{Kind: Renewed, UserID: at.userID, SessionID: at.record.ID, ActorID: at.record.ID})
		return s.give(token{at.record.User, at.record.ID, secret}), nil
	}
	prolonged := s.prolongOld(ctx)
	if s.rescheduled(ctx) && s.isNewest(at) && left.token == s.came.token {
		return cookie{setCookie, s.came.token}, nil
	}
	return prolonged, nil
}

// saveTooLate decides what becomes of a request whose session was revoked, or
// renewed by another request, before this one could save it.
func (s *request) saveTooLate(ctx context.Context, left left, at membership, err error) (cookie, error) {
	renewedElsewhere := errors.Is(err, store.ErrStale)
	if renewedElsewhere {
		s.skipRenewal(s.m.sm.Token(ctx))
	} else {
		s.overrule(nil)
	}
	switch {
	case s.wishes().proof == loggedIn: // a sign-in of its own
		s.overrule(nil)
		return s.signIn(ctx, at.userID)
	case renewedElsewhere && s.wishes().proof == reauthenticated: // the new proof is not stored
		return cookie{}, failed("reauthenticated", err)
	case !renewedElsewhere && left.token != s.came.token && s.came.id == at.record.ID:
		return cookie{}, s.refuse(ctx, at.userID, nil)
	default:
		return s.drop(left), nil
	}
}

var errUnchanged = errors.New("nothing to save")

// update writes the session's data, under a fresh token if there is one. If nothing
// is to be written, the error is errUnchanged.
func (s *request) update(ctx context.Context, record store.Record, renewal renewal) (secret string, err error) {
	was, deadline := record.Secret, s.m.sm.Deadline(ctx)
	record.SeenAt, record.ExpiresAt, record.Deadline = now(), s.m.expiry(deadline), time.Time{}
	if !deadline.Equal(s.came.deadline) || s.came.id != record.ID { // this request has set it
		record.Deadline = deadline.Truncate(time.Microsecond)
	}
	record.Client = s.clientOf(record)
	if s.wishes().proof != unproven {
		record.ProvedAt = record.SeenAt
	}
	switch renewal {
	case renews:
		record.Prev, record.RenewedAt, record.UsedAt = s.came.presented, record.SeenAt, time.Time{}
	case renewsAtOnce:
		record.Prev, record.RenewedAt, record.UsedAt = s.came.presented, record.SeenAt, record.SeenAt
		if s.came.id != record.ID {
			record.Prev = was
		}
	case keepsToken:
		if s.isFirstUse(record) {
			record.UsedAt = record.SeenAt
		}
	}
	return s.commit(ctx, func(ctx context.Context, key string, data []byte, _ time.Time) error {
		if renewal != keepsToken {
			record.Secret = s.m.router.secretHash(key, token{secret: key})
		} else if bytes.Equal(data, s.came.data) {
			return errUnchanged
		}
		s.keepToken(key)
		record.Data = data
		return s.m.sessions.Update(ctx, record, was)
	})
}

// touch notes that the session is in use, at most once a TouchInterval, and at once
// if its new token is used for the first time. If the write fails, the request still
// succeeds.
func (s *request) touch(ctx context.Context, at membership) (cookie, error) {
	moved, due := s.isTouchDue(at)
	if !due {
		if s.came.old != nil && !s.came.old.isTagged { // just adopted
			return s.prolongOld(ctx), nil
		}
		return cookie{}, nil
	}
	return s.touchUntil(ctx, at, moved, s.m.sm.Deadline(ctx))
}

// isTouchDue reports whether the use of a session is to be noted, and whether that is
// because it moved.
func (s *request) isTouchDue(at membership) (moved, due bool) {
	moved = s.hasMoved(at)
	return moved, moved || s.isFirstUse(*at.record) || now().Sub(at.record.SeenAt) >= s.m.touchInterval()
}

func (s *request) touchUntil(ctx context.Context, at membership, moved bool, deadline time.Time) (cookie, error) {
	err := s.m.sessions.Touch(context.WithoutCancel(ctx), at.record.User, at.record.ID, store.Touch{
		SeenAt: now(), ExpiresAt: s.m.expiry(deadline), Client: s.clientOf(*at.record),
		Secret: s.came.presented,
	})
	switch {
	case err == nil:
		if moved {
			s.addressChanged(ctx, at)
		}
		return s.prolongOld(ctx), nil
	case ignoreEnded(err) == nil:
		s.overrule(nil)
	default:
		s.storeFailed(failed("touch session", err))
	}
	return cookie{}, nil
}

// clientOf returns what is to be stored of the client that uses a session in this
// request.
func (s *request) clientOf(record store.Record) []byte {
	c := s.m.describedClient(s.http)
	if s.membership().by == byToken {
		c.Family = decodeClient(record.Client).Family
	}
	return c.encode()
}

// isNewest reports whether the request came with the session's newest token.
func (s *request) isNewest(at membership) bool { return at.record.Secret.Equal(s.came.presented) }

// isFirstUse reports whether nobody has used the session's token since it was
// renewed.
func (s *request) isFirstUse(record store.Record) bool {
	return record.UsedAt.IsZero() && record.Prev != store.Hash{} && record.Secret.Equal(s.came.presented)
}

// prolongOld has the old record end when its session does: with a deadline that this
// request has set, and under an IdleTimeout, as plain scs does on each request. Then it
// puts off the end of the cookie too; but if the token was renewed, the browser may hold
// the new cookie by now, which stays.
func (s *request) prolongOld(ctx context.Context) cookie {
	o, idle := s.came.old, s.m.sm.IdleTimeout > 0
	if o == nil {
		return cookie{}
	}
	deadline := s.m.sm.Deadline(ctx)
	if !idle && deadline.Equal(s.came.deadline) {
		return cookie{}
	}
	o.deadline = deadline
	if err := s.m.router.writeTag(context.WithoutCancel(ctx), o); err != nil {
		s.storeFailed(failed("prolong old session", err))
		return cookie{}
	}
	if !idle || !s.isNewest(s.membership()) {
		return cookie{}
	}
	return cookie{setCookie, s.came.token}
}

// dropOld deletes the old record of the session that this request has ended.
func (s *request) dropOld(ctx context.Context) {
	if s != nil && s.came.old != nil {
		s.m.router.dropOld(ctx, s.came.old.key)
	}
}

// expiry returns when a session that is used now expires. Uses within a touch
// interval are not written, so an idle timeout is that much longer.
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
