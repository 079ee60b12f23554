package revoke

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/store"
)

// left is what the handler has left in the session's data.
type left struct {
	userID string
	token  string // scs's; another than the one that came if it was renewed
	status scs.Status
}

// save is the save step. It decides, from what the handler left alone, what
// becomes of the session: it runs once, before the first byte of the response, and
// returns what the response does with the cookie. Whatever it writes is written
// even if the client has hung up.
//
//	came with  | data names            | so
//	-----------+-----------------------+-----------------------------------------
//	a session  | its user              | saveSession: update, or else touch
//	a session  | another user or nobody| logOut, and then as one of the following
//	no session | a user                | signIn
//	no session | nobody                | saveVisitor, or saveFormer if it had one
func (s *request) save(ctx context.Context) (cookie, error) {
	left, err := s.read(ctx)
	if err != nil {
		return cookie{}, err
	}
	if at := s.membership(); at.standing == live && left.userID != at.userID {
		if err := s.logOut(ctx, at); err != nil && !errors.Is(err, ErrNotReplicated) {
			return cookie{}, err
		}
		if left.userID != "" && s.isOverruled(at.userID) && left.token == s.came.token {
			// Revoked meanwhile, and not signed in again: its data goes to no other
			// user.
			return s.drop(left), nil
		}
	}
	clean, err := s.takeOver(ctx, left)
	if err != nil {
		return cookie{}, err
	}
	switch at := s.membership(); {
	case !clean:
		return s.drop(left), nil
	case at.standing == live:
		return s.saveSession(ctx, left, at)
	case left.userID != "":
		return s.signIn(ctx, left.userID)
	case at.standing == visitor:
		return s.saveVisitor(ctx, left)
	default:
		return s.saveFormer(ctx, left)
	}
}

// read reads what the handler has left.
func (s *request) read(ctx context.Context) (left, error) {
	sm := s.m.sm
	left := left{userID: s.m.userID(ctx), token: sm.Token(ctx), status: sm.Status(ctx)}
	if left.userID == "" && !s.m.namesNobody(ctx) {
		return left, fmt.Errorf("%w: a user ID must be a string, an integer or a fmt.Stringer", errEncode)
	}
	return left, nil
}

// logOut ends the request's own session. If another request has ended it before,
// this one is overruled. With ErrNotReplicated it has ended all the same.
func (s *request) logOut(ctx context.Context, at membership) error {
	s.leave()
	ended, err := s.m.endOne(ctx, at.record.User, at.record.ID, ReasonLoggedOut)
	switch {
	case ended:
		s.end()
		s.emit(ctx, Event{Kind: LoggedOut, UserID: at.userID, SessionID: at.record.ID, ActorID: at.record.ID, Reason: ReasonLoggedOut, Count: 1})
	case err == nil:
		s.overrule(nil)
	}
	return failed("log out", err)
}

// takeOver settles what MergeSession has copied into this session. A session
// merged into a visitor's lives on as the same session, under a fresh token; any
// other source ends. If a source had ended already, takeOver reports false, and
// nothing is saved: the ended session's data must not live on here.
func (s *request) takeOver(ctx context.Context, left left) (clean bool, err error) {
	for _, source := range s.mergedSources() {
		switch at := s.membership(); {
		case at.standing == live && at.record.User == source.User && at.record.ID == source.ID:
			continue
		case at.standing != live && left.userID != "" && userKey(left.userID) == source.User:
			s.join(&source, left.userID)
			continue
		}
		ended, err := s.m.endOne(ctx, source.User, source.ID, ReasonMerged)
		switch {
		case ended:
			s.emit(ctx, Event{Kind: LoggedOut, SessionID: source.ID, ActorID: source.ID, Reason: ReasonMerged, Count: 1})
		case err != nil:
			return false, failed("merge session", err)
		default:
			return false, nil
		}
	}
	return true, nil
}

// signIn creates a session for a visitor who has signed in in this request. Only
// then does it let go of the visitor's session.
func (s *request) signIn(ctx context.Context, userID string) (cookie, error) {
	if err := s.freshenToken(ctx); err != nil {
		return cookie{}, err
	}
	now := now()
	record := store.Record{
		User: userKey(userID), ID: newID(),
		CreatedAt: now, SeenAt: now, ProvedAt: now, ExpiresAt: s.m.expiry(s.m.sm.Deadline(ctx)),
		Client: s.m.describedClient(s.http).encode(),
	}
	var evicted []store.Record
	secret, err := s.commit(ctx, func(ctx context.Context, key string, data []byte, _ time.Time) (err error) {
		record.Secret, record.Data = s.m.router.secretHash(key, token{secret: key}), data
		evicted, err = s.m.sessions.Create(ctx, record, s.m.MaxPerUser)
		return err
	})
	if err != nil {
		return cookie{}, failed("sign in", err)
	}
	s.releaseVisitor(ctx)
	s.emit(ctx, Event{Kind: SignedIn, UserID: userID, SessionID: record.ID, ActorID: record.ID, Count: 1})
	s.m.evicted(ctx, userID, record.ID, evicted)
	s.join(&record, userID)
	return s.give(token{record.User, record.ID, secret}), nil
}

// saveSession updates the session that the request belongs to, if its data has
// changed, and otherwise notes its use.
func (s *request) saveSession(ctx context.Context, left left, at membership) (cookie, error) {
	presented, isTracked := parseToken(s.came.token)
	merged := !isTracked || presented.id != at.record.ID
	if merged {
		if err := s.freshenToken(ctx); err != nil {
			return cookie{}, err
		}
	}
	if left.status != scs.Modified {
		return s.touch(ctx, at)
	}
	renewed := merged || left.token != s.came.token
	secret, err := s.update(ctx, *at.record, renewed)
	switch {
	case errors.Is(err, errUnchanged):
		return s.touch(ctx, at)
	case errors.Is(err, store.ErrStale):
		return s.drop(left), nil
	case ignoreEnded(err) != nil:
		return cookie{}, failed("save session", err)
	case err != nil:
		s.overrule(nil)
		return s.drop(left), nil
	}
	s.addressChanged(ctx, at)
	switch {
	case renewed:
		s.releaseVisitor(ctx)
		s.emit(ctx, Event{Kind: Renewed, UserID: at.userID, SessionID: at.record.ID, ActorID: at.record.ID})
		return s.give(token{at.record.User, at.record.ID, secret}), nil
	case s.came.unseen || s.rescheduled(ctx):
		return s.give(presented), nil
	default:
		return cookie{}, nil
	}
}

var errUnchanged = errors.New("nothing to save")

// update writes the session's data, under a fresh token if that was renewed. If
// nothing is to be written, the error is errUnchanged.
func (s *request) update(ctx context.Context, record store.Record, renewed bool) (secret string, err error) {
	was := record.Secret
	record.SeenAt, record.ExpiresAt = now(), s.m.expiry(s.m.sm.Deadline(ctx))
	record.Client = s.m.describedClient(s.http).encode()
	if s.wishes().proved {
		record.ProvedAt = record.SeenAt
	}
	return s.commit(ctx, func(ctx context.Context, key string, data []byte, _ time.Time) error {
		if renewed {
			record.Secret = s.m.router.secretHash(key, token{secret: key})
		} else if bytes.Equal(data, s.came.data) {
			return errUnchanged
		}
		record.Data = data
		return s.m.sessions.Update(ctx, record, was)
	})
}

// touch notes that the session is in use, at most once a TouchInterval. If the
// write fails, the request still succeeds.
func (s *request) touch(ctx context.Context, at membership) (cookie, error) {
	now := now()
	moved := !sameAddress(at.record.Client, s.m.clientIP(s.http))
	if moved || now.Sub(at.record.SeenAt) >= s.m.touchInterval() {
		err := s.m.sessions.Touch(context.WithoutCancel(ctx), at.record.User, at.record.ID, store.Touch{
			SeenAt: now, ExpiresAt: s.m.expiry(s.m.sm.Deadline(ctx)), Client: s.m.describedClient(s.http).encode(),
		})
		switch {
		case err == nil:
			s.addressChanged(ctx, at)
		case ignoreEnded(err) == nil:
			s.overrule(nil)
			return cookie{}, nil
		default:
			s.storeFailed(failed("touch session", err))
		}
	}
	if presented, _ := parseToken(s.came.token); s.came.unseen && !s.isDead(ctx, presented) {
		return s.give(presented), nil
	}
	return cookie{}, nil
}

// isDead reports whether it is known that a token opens nothing any more.
func (s *request) isDead(ctx context.Context, t token) bool {
	_, err := s.m.find(context.WithoutCancel(ctx), t)
	if ignoreEnded(err) != nil {
		s.storeFailed(failed("adopt session", err))
		return false
	}
	return err != nil
}

// saveVisitor does what LoadAndSave does, for a session without a user.
func (s *request) saveVisitor(ctx context.Context, left left) (cookie, error) {
	leaving, release := s.isLeaving(left), s.wishes().release
	switch {
	case left.status == scs.Modified && s.came.leftover == superseded && !leaving:
		return cookie{}, nil // one that is set now would take the place of the newer one
	case left.status == scs.Modified:
		token, err := s.commit(ctx, s.m.router.commitVisitor)
		if err != nil {
			return cookie{}, failed("save session", err)
		}
		if release {
			s.releaseVisitor(ctx)
		}
		if token != s.came.token || s.rescheduled(ctx) {
			return cookie{setCookie, token}, nil
		}
		return cookie{}, nil
	case release:
		if err := s.m.router.deleteVisitor(context.WithoutCancel(ctx), s.m.router.key(s.came.token)); err != nil {
			return cookie{}, failed("destroy session", err)
		}
		return cookie{change: clearCookie}, nil
	case leaving || s.came.leftover == unreadable:
		return cookie{change: clearCookie}, nil
	default:
		return cookie{}, nil
	}
}

// saveFormer saves the data that is left of a session that has ended, as a new
// visitor's.
func (s *request) saveFormer(ctx context.Context, left left) (cookie, error) {
	if left.status != scs.Modified || len(s.m.sm.Keys(ctx)) == 0 {
		return s.drop(left), nil
	}
	if err := s.freshenToken(ctx); err != nil {
		return cookie{}, err
	}
	token, err := s.commit(ctx, s.m.router.commitVisitor)
	if err != nil {
		return cookie{}, failed("save session", err)
	}
	return cookie{setCookie, token}, nil
}

// drop discards the session's data. The handler's response still goes out; if the
// request signed out, the cookie is cleared.
func (s *request) drop(left left) cookie {
	if s.isLeaving(left) {
		return cookie{change: clearCookie}
	}
	return cookie{}
}

// isLeaving reports whether the request has signed out, or was to.
func (s *request) isLeaving(left left) bool {
	return s.wishes().leave || left.status == scs.Destroyed && s.membership().standing != overruled
}
