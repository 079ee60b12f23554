package revoke

import (
	"context"
	"errors"
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
//	came with          | data names             | so
//	-------------------+------------------------+----------------------------------
//	a session          | its user               | saveSession: update, or else touch
//	a session          | another user or nobody | logOut, then as one of these:
//	one, ended here    | a user                 | signIn
//	one, ended here    | nobody                 | saveFormer
//	one, revoked       |                        | see saveOverruled
//	no session         | a user                 | signIn
//	no session         | nobody                 | saveVisitor
//	a bearer token     |                        | see saveBearer
func (s *request) save(ctx context.Context) (cookie, error) {
	if err := s.mistake(); err != nil {
		return cookie{}, err
	}
	was := s.membership()
	left, err := s.read(ctx)
	if err != nil {
		return cookie{}, err
	}
	if err := s.endAgain(ctx, left); err != nil {
		return cookie{}, err
	}
	if s.came.header || s.membership().by == byToken {
		return s.saveBearer(ctx, left)
	}
	if at := s.membership(); at.standing == live && left.userID != at.userID {
		if err := s.logOut(ctx, at); err != nil && !errors.Is(err, ErrNotReplicated) {
			return cookie{}, err
		}
	}
	clean, err := s.takeOver(ctx, left)
	switch at := s.membership(); {
	case err != nil:
		return cookie{}, err
	case !clean && at.standing != live && left.userID != "" && s.wishes().proof == loggedIn:
		return cookie{}, s.refuse(ctx, left.userID, nil)
	case !clean:
		return s.drop(left), nil
	}
	switch at := s.membership(); {
	case at.standing == live:
		return s.saveSession(ctx, left, at)
	case at.standing == ended && was.standing == live && left.userID == was.userID:
		return s.drop(left), nil // a goroutine of the handler's has ended it since the data was read
	case at.standing == overruled:
		return s.saveOverruled(ctx, left, at)
	case left.userID != "":
		return s.signIn(ctx, left.userID)
	case at.standing == ended:
		return s.saveFormer(ctx, left)
	default:
		return s.saveVisitor(ctx, left)
	}
}

// read reads what the handler has left. If scs holds the data for unmodified, it is as
// it came.
func (s *request) read(ctx context.Context) (left, error) {
	sm := s.m.sm
	status := sm.Status(ctx)
	if at := s.membership(); status == scs.Unmodified && at.standing == live {
		return left{userID: at.userID, token: s.came.token, status: status}, nil
	}
	userID, err := s.m.checkedUserID(ctx)
	return left{userID: userID, token: sm.Token(ctx), status: status}, err
}

// logOut ends the request's own session. If another request has ended it before,
// this one is overruled. With ErrNotReplicated it has ended all the same.
func (s *request) logOut(ctx context.Context, at membership) error {
	s.leave()
	ended, err := s.m.endOne(ctx, at.record.User, at.record.ID, ReasonLoggedOut)
	switch {
	case ended:
		s.end()
		s.dropOld(ctx)
		s.emit(ctx, Event{Kind: LoggedOut, UserID: at.userID, SessionID: at.record.ID, ActorID: at.record.ID, Reason: ReasonLoggedOut, Count: 1})
	case err == nil || errors.Is(err, ErrNotReplicated):
		s.overrule(nil)
	}
	return failed("log out", err)
}

// endAgain is logOut for a request that signs out of a session which others have ended
// before. They may still be waiting until no lease says any more that it is live, and so
// must this one: see [store.Leased].
func (s *request) endAgain(ctx context.Context, left left) error {
	at := s.membership()
	if at.standing != visitor || at.why == nil || !s.isLeaving(left) {
		return nil
	}
	_, err := s.m.endOne(ctx, at.why.user, at.why.SessionID, ReasonLoggedOut)
	if errors.Is(err, ErrNotReplicated) {
		return nil
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
		case at.standing == overruled && s.wishes().proof != loggedIn:
			return true, nil // saveOverruled refuses this request, and the source stays as it is
		case at.standing != live && left.userID != "" && s.m.isUserKey(source.User, left.userID):
			if at.standing == overruled && at.userID != left.userID {
				s.forgetLoaded(ctx)
			}
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
// then does it let go of the visitor's session. The sign-in began when the request
// arrived, or after the request has revoked all of the user's sessions: if they were all
// revoked since, the store refuses it.
func (s *request) signIn(ctx context.Context, userID string) (cookie, error) {
	if err := s.freshenToken(ctx); err != nil {
		return cookie{}, err
	}
	deadline, user := s.m.sm.Deadline(ctx), s.m.userKey(userID)
	began := s.signInBegan(user)
	record := store.Record{
		User: user, ID: newID(),
		CreatedAt: began, SeenAt: now(), ProvedAt: began,
		ExpiresAt: s.m.expiry(deadline), Deadline: deadline.Truncate(time.Microsecond),
		Client: s.m.describedClient(s.http).encode(),
	}
	var evicted []store.Record
	secret, err := s.commit(ctx, func(ctx context.Context, key string, data []byte, _ time.Time) (err error) {
		record.Secret, record.Data = s.m.router.secretHash(key, token{secret: key}), data
		evicted, err = s.m.sessions.Create(ctx, record, store.Limit{Max: s.m.MaxPerUser})
		return err
	})
	var marked *store.MarkedError
	switch {
	case errors.As(err, &marked):
		return cookie{}, s.refuse(ctx, userID, &RevokedError{At: marked.Mark.At, Reason: marked.Mark.Reason, By: marked.Mark.By})
	case err != nil:
		return cookie{}, failed("sign in", err)
	}
	s.releaseVisitor(ctx)
	s.emit(ctx, Event{Kind: SignedIn, UserID: userID, SessionID: record.ID, ActorID: record.ID, Count: 1})
	s.m.evicted(ctx, userID, record.ID, evicted)
	s.join(&record, userID)
	return s.give(token{record.User, record.ID, secret}), nil
}

// saveOverruled decides what becomes of a request whose session was revoked from
// elsewhere meanwhile. The data of that session goes to nobody: only a sign-in by
// Login, or what was begun anew after Destroy, goes on.
func (s *request) saveOverruled(ctx context.Context, left left, at membership) (cookie, error) {
	switch {
	case left.userID != "" && s.wishes().proof != loggedIn:
		return cookie{}, s.refuse(ctx, left.userID, at.why)
	case left.userID != "":
		if left.userID != at.userID {
			s.forgetLoaded(ctx)
		}
		return s.signIn(ctx, left.userID)
	case left.token == "": // destroyed
		return s.saveFormer(ctx, left)
	default:
		return s.drop(left), nil
	}
}

// forgetLoaded drops what the session that the request came with had.
func (s *request) forgetLoaded(ctx context.Context) {
	_, loaded, err := s.m.sm.Codec.Decode(s.came.data)
	if err != nil {
		return // it was decoded before
	}
	for key := range loaded {
		if key != s.m.UserIDKey {
			s.m.sm.Remove(ctx, key)
		}
	}
}

// refuse returns the error for a request that has signed in, or renewed its token,
// and has no session in the end: its response must not say that it has one.
func (s *request) refuse(ctx context.Context, userID string, why *RevokedError) error {
	if why == nil {
		why = &RevokedError{At: now(), Reason: ReasonRevoked}
	}
	s.emit(ctx, Event{Kind: SignInRefused, UserID: userID, ActorID: why.By, Reason: why.Reason})
	return why
}

// saveVisitor does what LoadAndSave does, for a session without a user.
func (s *request) saveVisitor(ctx context.Context, left left) (cookie, error) {
	leaving, release := s.isLeaving(left), s.wishes().release
	switch {
	case left.status == scs.Modified && s.came.newer && !leaving:
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
	case leaving:
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
