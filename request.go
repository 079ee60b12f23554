package revoke

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/revoke-sessions/revoke/internal/codec"
	"github.com/revoke-sessions/revoke/store"
)

// What is looked up of the cookies of the session's name: the first of them, and
// none that is longer than any token.
const (
	maxCookies = 4
	maxCookie  = 256 // bytes
)

// staleGrace is how long after a renewal requests may still bring the old token.
const staleGrace = time.Minute

// A request is what is known of one request under Track. The router, which scs
// calls with the request's context, notes in it what it finds.
//
// Methods that the router calls accept a nil receiver: no tracked request.
type request struct {
	m    *Manager
	http *http.Request
	ctx  context.Context // with scs's session data

	before []string  // the names of the headers that were set before the handler
	once   sync.Once // guards the save step
	failed bool      // the save step failed, and the response is its error

	mu    sync.Mutex // not to be held in a call to scs, which has its own lock when it calls the router
	phase phase

	token   string        // the cookie that is loaded
	opened  bool          // it opened something
	data    []byte        // as it was stored
	record  *store.Record // the session that it opened; nil for a visitor's
	userID  string        // whom that session's data named
	ended   bool          // that session ended in this request
	adopted bool          // the cookie is not yet the client's
	proved  bool          // the user proved who they are in this request
	release bool          // scs asked to delete the token that is loaded
	leaving bool          // the request is to end that session

	deadline      time.Time // of the data as it was stored
	cookieExpires time.Time // the cookieExpiry that the client was given

	unreadable bool          // a cookie was presented whose data cannot be read
	stale      bool          // a cookie was presented whose session has a newer one
	why        *RevokedError // the session of a presented cookie was revoked

	sources []*source // other sessions that were read

	issued    token  // the cookie of the response, where it is a new one
	issuedKey string // scs's
	overruled bool   // its session was revoked from elsewhere meanwhile
}

type phase int

const (
	loading phase = iota
	serving
	saving
	saved
)

// A source is another session that was read in this request; once merged, scs
// has copied its data into this one's.
type source struct {
	key    string // scs's
	record store.Record
	merged bool
}

type requestKey struct{ m *Manager }

func (m *Manager) request(ctx context.Context) *request {
	s, _ := ctx.Value(requestKey{m}).(*request)
	return s
}

// load looks the request's cookies up, and sets the context that has the
// session's data.
func (s *request) load() error {
	base := context.WithValue(s.http.Context(), requestKey{s.m}, s)
	tried := 0
	for _, cookie := range s.http.CookiesNamed(s.m.sm.Cookie.Name) {
		if cookie.Value == "" || len(cookie.Value) > maxCookie {
			continue
		}
		if tried++; tried > maxCookies {
			s.stale = true // for all that is known it is a live one
			break
		}
		s.adopted = false
		ctx, err := s.open(base, cookie.Value)
		if err != nil {
			return err
		}
		if ctx != nil {
			s.ctx, s.unreadable, s.stale, s.why = ctx, false, false, nil
			s.enter(serving)
			return nil
		}
	}
	ctx, err := s.open(base, "")
	s.ctx = ctx
	s.enter(serving)
	return err
}

// open loads the session of one cookie. It returns neither a context nor an
// error where a cookie opens none.
func (s *request) open(base context.Context, cookie string) (context.Context, error) {
	s.token, s.opened, s.record, s.userID, s.data = cookie, false, nil, "", nil
	ctx, err := s.m.sm.Load(base, cookie)
	switch {
	case err != nil && s.opened:
		t, _ := parseToken(cookie)
		s.emit(base, Event{Kind: Undecodable, SessionID: t.id, Err: err})
		s.unreadable = true
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("revoke: load session: %w", err)
	case ctx == base:
		return nil, errors.New("revoke: Track is to take the place of LoadAndSave, not to be inside of it")
	case cookie == "":
		return ctx, nil
	case !s.opened:
		return nil, nil
	case !s.m.sm.Deadline(ctx).After(time.Now()):
		// A deadline that was brought forward can be undone in the store by a
		// request that was under way; in the data it stands.
		return nil, nil
	}
	s.userID, s.deadline, s.cookieExpires = s.m.userID(ctx), s.m.sm.Deadline(ctx), s.m.cookieExpiry(ctx)
	if s.record == nil && !s.cookieExpires.IsZero() && s.m.isFromPlainSCS(s.data) {
		s.cookieExpires = time.Now() // or within the idle timeout, which each response put off
	}
	switch {
	case s.record == nil && s.userID != "":
		return s.adopt(base, ctx, userKey(s.userID))
	case s.record == nil && s.m.sm.Exists(ctx, pointerKey):
		return s.adopt(base, ctx, s.m.sm.GetString(ctx, pointerKey))
	case s.record != nil && userKey(s.userID) != s.record.User:
		s.emit(base, Event{Kind: Undecodable, SessionID: s.record.ID, Err: errOtherUser})
		s.unreadable = true
		return nil, nil
	}
	return ctx, nil
}

// isFromPlainSCS reports whether a visitor's data was stored before revoke came.
// Under a codec of the application's own that cannot be told.
func (m *Manager) isFromPlainSCS(data []byte) bool {
	_, ours := m.sm.Codec.(Codec)
	return ours && codec.IsGob(data)
}

// found notes what the cookie that is being loaded opened.
func (s *request) found(t token, record store.Record, err error) {
	switch {
	case err == nil:
		s.opened, s.record, s.data = true, &record, record.Data
	case errors.Is(err, store.ErrTampered) && !errors.Is(err, store.ErrUnknownKey):
		s.opened = true // what it opened cannot be read
	case errors.Is(err, store.ErrStale):
		// A newer token that is in use keeps its session seen. One whose response
		// was lost does not, and what the visitor leaves needs a new cookie.
		s.stale = s.stale || time.Since(record.SeenAt) < staleGrace+s.m.touchInterval()
	case errors.Is(err, store.ErrRevoked):
		s.why = revokedError(record)
		s.revokedTokenUsed(record)
	}
}

func (s *request) foundVisitor(data []byte) { s.opened, s.data = true, data }

// presentedAs returns the cookie that scs calls by key, or else the key, and
// whether that cookie is being loaded.
func (s *request) presentedAs(key string) (presented string, isLoading bool) {
	if s == nil {
		return key, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.issuedKey != "" && s.issuedKey == key:
		return s.issued.String(), false
	case s.token == "" || s.m.router.key(s.token) != key:
		return key, false
	}
	return s.token, s.phase == loading
}

func (s *request) noteSource(key string, record store.Record) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources = append(s.sources, &source{key: key, record: record})
}

// mergedSources returns the records of the sessions that were merged.
func (s *request) mergedSources() (records []store.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, src := range s.sources {
		if src.merged {
			records = append(records, src.record)
		}
	}
	return records
}

// deferDelete leaves the deletion of a token of this request to the save step.
func (s *request) deferDelete(key string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == saved {
		return false
	}
	for _, src := range s.sources {
		if src.key == key {
			src.merged = true
			return true
		}
	}
	if s.token == "" || s.m.router.key(s.token) != key {
		return false
	}
	s.release = true
	return true
}

func (s *request) enter(p phase) {
	s.mu.Lock()
	s.phase = p
	s.mu.Unlock()
}

func (s *request) begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase > serving
}

// prove notes that the user has proved who they are.
func (s *request) prove() {
	s.mu.Lock()
	s.proved = true
	s.mu.Unlock()
}

// live returns the session that the request belongs to, and its user, or nil.
func (s *request) live() (*store.Record, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.record == nil || s.ended {
		return nil, ""
	}
	return s.record, s.userID
}

// hasProved reports whether the user proved who they are in this request.
func (s *request) hasProved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proved
}

// end notes that the request has ended its session.
func (s *request) end() {
	s.mu.Lock()
	s.ended, s.why = true, nil
	s.mu.Unlock()
}

// join notes that the request belongs to a session from now on, with data of
// which nothing is stored yet.
func (s *request) join(record *store.Record, userID string) {
	s.mu.Lock()
	s.record, s.userID, s.data, s.ended, s.overruled, s.why = record, userID, nil, false, false, nil
	s.mu.Unlock()
}

// leave notes that the request is to end its session, and that the client is to
// forget the cookie, also where that session has ended already.
func (s *request) leave() {
	s.mu.Lock()
	s.leaving = true
	s.mu.Unlock()
}

// overrule notes that the request's session was revoked from elsewhere: it may
// not revoke anything any more.
func (s *request) overrule(why *RevokedError) {
	s.mu.Lock()
	s.ended, s.overruled, s.why = true, true, why
	s.mu.Unlock()
}

// isOverruled reports whether the request is in a session of the user's that was
// revoked from elsewhere.
func (s *request) isOverruled(userID string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.overruled && s.userID == userID
}

// issue notes the cookie of the response.
func (s *request) issue(t token) {
	s.mu.Lock()
	s.issued, s.issuedKey = t, s.m.router.key(t.secret)
	s.mu.Unlock()
}

func (s *request) revoked() *RevokedError {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

func revokedError(tombstone store.Record) *RevokedError {
	return &RevokedError{
		SessionID: tombstone.ID,
		At:        tombstone.Revoked.At.UTC(),
		Reason:    tombstone.Revoked.Reason,
		By:        tombstone.Revoked.By,
	}
}
