package revoke

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/store"
)

// errEncode marks an error that is the application's, not a store's.
var errEncode = errors.New("encode session")

// save is the save step. It looks at what the handler has left in the session's
// data, and takes from that alone what became of the session: it runs once,
// before the first byte of the response. Whatever it writes is written even
// when the client has hung up.
func (s *request) save(w http.ResponseWriter) error {
	ctx := s.ctx
	userID := s.m.userID(ctx)
	if userID == "" && !s.m.namesNobody(ctx) {
		return fmt.Errorf("%w: a user ID must be a string, an integer or a fmt.Stringer", errEncode)
	}
	if record, signedIn := s.live(); record != nil && userID != signedIn {
		if err := s.logOut(ctx); err != nil {
			return err
		}
		if userID != "" && s.isOverruled(signedIn) && s.m.sm.Token(ctx) == s.token {
			// Revoked meanwhile, and not signed in again: its data goes to no other
			// user.
			s.drop(ctx, w)
			return nil
		}
	}
	clean, err := s.takeOver(ctx, userID)
	if err != nil {
		return err
	}
	record, _ := s.live()
	switch {
	case !clean:
		s.drop(ctx, w)
		return nil
	case record != nil:
		return s.saveSession(ctx, w)
	case userID != "":
		return s.signIn(ctx, w, userID)
	default:
		return s.saveVisitor(ctx, w)
	}
}

// abandon runs in the place of the save step when the handler panics: what was
// to end ends, and nothing is written.
func (s *request) abandon() {
	s.once.Do(func() {
		s.enter(saving)
		if record, signedIn := s.live(); record != nil && s.m.userID(s.ctx) != signedIn {
			if err := s.logOut(s.ctx); err != nil {
				s.storeFailed(err)
			}
		}
		s.enter(saved)
	})
}

// logOut ends the session whose data names its user no more. That replicas may not
// know is raised, and is no failure to sign out: the session has ended and its
// cookie goes, so that nobody is left who could try again.
func (s *request) logOut(ctx context.Context) error {
	s.leave()
	_, err := s.m.sessions.Revoke(context.WithoutCancel(ctx), s.record.User, s.record.ID,
		store.Revocation{At: now(), Reason: ReasonLoggedOut, By: s.record.ID})
	if s.m.notReplicated(ctx, err) {
		err = nil
	}
	if ignoreEnded(err) != nil {
		return fmt.Errorf("revoke: log out: %w", err)
	}
	if err != nil {
		s.overrule(nil)
		return nil
	}
	s.end()
	s.emit(ctx, Event{Kind: LoggedOut, UserID: s.userID, SessionID: s.record.ID, ActorID: s.record.ID, Reason: ReasonLoggedOut, Count: 1})
	return nil
}

// takeOver settles what MergeSession has copied. A session merged into a
// visitor's lives on as the same session, under a fresh token; any other source
// ends. Where a source has ended before, its data must not live on in this
// session: takeOver reports false, and nothing is saved.
func (s *request) takeOver(ctx context.Context, userID string) (clean bool, err error) {
	for _, source := range s.mergedSources() {
		record, _ := s.live()
		switch {
		case record != nil && record.User == source.User && record.ID == source.ID:
			continue
		case record == nil && userID != "" && userKey(userID) == source.User:
			s.join(&source, userID)
			continue
		}
		_, err := s.m.sessions.Revoke(context.WithoutCancel(ctx), source.User, source.ID,
			store.Revocation{At: now(), Reason: ReasonMerged, By: source.ID})
		switch {
		case err == nil || s.m.notReplicated(ctx, err):
			s.emit(ctx, Event{Kind: LoggedOut, SessionID: source.ID, ActorID: source.ID, Reason: ReasonMerged, Count: 1})
		case ignoreEnded(err) == nil:
			return false, nil
		default:
			return false, fmt.Errorf("revoke: merge session: %w", err)
		}
	}
	return true, nil
}

// signIn creates the session of a visitor who has come to be signed in in this
// request. Only then does it let go of the visitor's.
func (s *request) signIn(ctx context.Context, w http.ResponseWriter, userID string) error {
	if err := s.freshenToken(ctx); err != nil {
		return err
	}
	now := now()
	write := &write{kind: creation, limit: s.m.MaxPerUser, record: store.Record{
		User: userKey(userID), ID: newID(),
		CreatedAt: now, SeenAt: now, ProvedAt: now, ExpiresAt: s.m.expiry(s.m.sm.Deadline(ctx)),
		Client: s.m.describedClient(s.http).encode(),
	}}
	secret, err := s.commit(ctx, write)
	if err != nil {
		return fmt.Errorf("revoke: sign in: %w", err)
	}
	s.setCookie(w, token{write.record.User, write.record.ID, secret})
	s.releaseVisitor(ctx)
	s.emit(ctx, Event{Kind: SignedIn, UserID: userID, SessionID: write.record.ID, ActorID: write.record.ID, Count: 1})
	s.m.evicted(ctx, userID, write.record.ID, write.evicted)
	s.join(&write.record, userID)
	return nil
}

// saveSession updates the session that the request belongs to, where its data
// has changed, and otherwise notes its use.
func (s *request) saveSession(ctx context.Context, w http.ResponseWriter) error {
	presented, isTracked := parseToken(s.token)
	takenOver := !isTracked || presented.id != s.record.ID
	if takenOver {
		if err := s.freshenToken(ctx); err != nil {
			return err
		}
	}
	if s.changed(ctx) {
		write := &write{kind: update, before: s.data, was: s.record.Secret, record: *s.record}
		write.renewed = takenOver || s.m.sm.Token(ctx) != s.token
		write.record.SeenAt, write.record.ExpiresAt = now(), s.m.expiry(s.m.sm.Deadline(ctx))
		write.record.Client = s.m.describedClient(s.http).encode()
		if s.hasProved() {
			write.record.ProvedAt = write.record.SeenAt
		}
		secret, err := s.commit(ctx, write)
		switch {
		case err == nil && !write.unchanged:
			if write.renewed {
				s.releaseVisitor(ctx)
				s.emit(ctx, Event{Kind: Renewed, UserID: s.userID, SessionID: s.record.ID, ActorID: s.record.ID})
				s.setCookie(w, token{s.record.User, s.record.ID, secret})
			} else if s.adopted || s.rescheduled(ctx) {
				s.setCookie(w, presented)
			}
			s.addressChanged(ctx)
			return nil
		case ignoreEnded(err) != nil:
			return fmt.Errorf("revoke: save session: %w", err)
		case err != nil:
			if !errors.Is(err, store.ErrStale) {
				s.overrule(nil)
			}
			s.drop(ctx, w)
			return nil
		}
	}
	if !s.touch(ctx) {
		s.overrule(nil)
		return nil
	}
	if s.adopted && !s.isDead(ctx, presented) {
		s.setCookie(w, presented)
	}
	return nil
}

// isDead reports whether it is known that a token opens nothing any more.
func (s *request) isDead(ctx context.Context, t token) bool {
	_, err := s.m.find(context.WithoutCancel(ctx), t)
	if ignoreEnded(err) != nil {
		s.storeFailed(fmt.Errorf("revoke: adopt session: %w", err))
		return false
	}
	return err != nil
}

// touch notes that the session is in use, at most once a TouchInterval, and
// reports whether it may be. That the note could not be taken costs the user
// nothing.
func (s *request) touch(ctx context.Context) (live bool) {
	now := now()
	moved := !sameAddress(s.record.Client, s.m.clientIP(s.http))
	if !moved && now.Sub(s.record.SeenAt) < s.m.touchInterval() {
		return true
	}
	err := s.m.sessions.Touch(context.WithoutCancel(ctx), s.record.User, s.record.ID, store.Touch{
		SeenAt: now, ExpiresAt: s.m.expiry(s.m.sm.Deadline(ctx)), Client: s.m.describedClient(s.http).encode(),
	})
	switch {
	case err == nil:
		s.addressChanged(ctx)
	case ignoreEnded(err) == nil:
		return false
	default:
		s.storeFailed(fmt.Errorf("revoke: touch session: %w", err))
	}
	return true
}

// drop ends a save step whose data must not be saved: the handler's response is
// delivered all the same, and the cookie goes where the request has signed out.
func (s *request) drop(ctx context.Context, w http.ResponseWriter) {
	if s.isLeaving(ctx) {
		s.clearCookie(w)
	}
}

// saveVisitor does what LoadAndSave does, for a session without a user.
func (s *request) saveVisitor(ctx context.Context, w http.ResponseWriter) error {
	sm := s.m.sm
	modified, leaving := s.changed(ctx), s.isLeaving(ctx)
	s.mu.Lock()
	ended, release := s.ended, s.release && !s.ended
	s.mu.Unlock()
	if ended {
		// Of a session that ended, only data that is left goes on.
		modified = modified && len(sm.Keys(ctx)) > 0
		if modified {
			if err := s.freshenToken(ctx); err != nil {
				return err
			}
		}
	}
	switch {
	case modified && s.stale && !leaving:
		// A cookie now would take the place of the newer one.
	case modified:
		write := &write{kind: visit}
		token, err := s.commit(ctx, write)
		if err != nil {
			return fmt.Errorf("revoke: save session: %w", err)
		}
		if token != s.token || s.rescheduled(ctx) {
			sm.WriteSessionCookie(ctx, w, token, sm.Deadline(ctx))
		}
		if release {
			s.releaseVisitor(ctx)
		}
	case release:
		if err := s.m.router.deleteVisitor(context.WithoutCancel(ctx), s.m.router.key(s.token)); err != nil {
			return fmt.Errorf("revoke: destroy session: %w", err)
		}
		s.clearCookie(w)
	case leaving || s.unreadable && !s.stale:
		s.clearCookie(w)
	}
	return nil
}

// isLeaving reports whether the request has signed out, or was to.
func (s *request) isLeaving(ctx context.Context) bool {
	destroyed := s.m.sm.Status(ctx) == scs.Destroyed
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving || destroyed && !s.overruled
}
