package revoke

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/revoke-sessions/revoke/internal/firstbyte"
	"github.com/revoke-sessions/revoke/store"
)

// A request is one request under Track: what it came with, which session it
// belongs to now, and what its handler has asked for. What it issues is the result
// of its save step.
//
// It is a context itself, through which the router and the methods of Manager reach it
// from any goroutine. Methods that the router calls accept a nil receiver, which stands
// for a context outside of Track.
type request struct {
	context.Context // of the request as it came
	m               *Manager
	http            *http.Request
	w               http.ResponseWriter
	gate            firstbyte.Gate  // before w
	ctx             context.Context // with scs's session data
	outer           *request        // of another manager whose Track is around this one's; nil if there is none
	before          http.Header     // of the response, before the handler
	once            sync.Once       // guards the save step

	came   arrival      // fixed once the request is loaded
	loaded store.Record // the session that it came with
	handed handed       // the zero value but around a call of scs's Load

	mu      sync.Mutex // guards what follows; not held while scs is called: scs holds its own lock when it calls the router
	phase   phase
	at      membership
	asked   wishes
	issued  issued
	skipped string               // scs's key of a token from a renewal that was skipped
	inner   []string             // the cookies that managers inside have set
	wrong   error                // a mistake in the program, which the save step answers with
	began   time.Time            // when it arrived
	anew    map[string]time.Time // by user key, when a sign-in began if this request has revoked all before; "" stands for everyone
}

// An arrival is what a request came with.
type arrival struct {
	token         string     // the cookie, or the token of Issue, that opened something; "" if none did
	id            string     // of the session that it opened; "" for a visitor's
	header        bool       // the Authorization header names a token, so no cookie counts
	presented     store.Hash // by which it opened that session
	old           *old       // it is the cookie of a session from before revoke came
	data          []byte     // as it was stored
	deadline      time.Time  // of the session
	cookieExpires time.Time  // the cookieExpiry that the client was given

	// Of cookies that opened nothing:
	retired *retirement // one is a session's token from before its last renewal
	newer   bool        // the browser may hold a newer one by now
}

// handed is what load hands to scs: if scs asks for the key, the router answers
// with the data.
type handed struct {
	key   string
	data  []byte
	taken bool // the router was asked
}

// A phase of a request. If the save step fails, the request stays in saving.
type phase int

const (
	serving phase = iota // until the first byte of the response
	saving
	saved
)

// A membership is the session that a request belongs to.
type membership struct {
	standing standing
	by       credential
	record   *store.Record // nil for a visitor
	userID   string        // whom the session's data names; "" for a visitor
	why      *RevokedError // why there is no live session, if it was revoked
}

// A standing says how a request stands to its session.
type standing int

const (
	visitor   standing = iota // no session; why is set if the cookie's was revoked
	live                      // in a session
	ended                     // this request has ended its session
	overruled                 // the session was revoked from elsewhere meanwhile
)

// wishes are what the handler has asked for through scs and Manager, and what the
// save step carries out. They are independent of each other.
type wishes struct {
	leave   bool // end the session, and clear the cookie
	release bool // scs asked to delete the token that came
	proof   proof
	sources []*source
}

// A proof says how the user has proved in this request who they are.
type proof int

const (
	unproven proof = iota
	reauthenticated
	loggedIn // by Login
)

// A source is another session that was read in this request. Once it is merged,
// scs has copied its data into this one's.
type source struct {
	key    string // scs's
	record store.Record
	merged bool
}

// issued is the new token of the response.
type issued struct {
	token token  // the zero value if the client has it already
	key   string // scs's; "" if there is none
}

type requestKey struct{}

func (s *request) Value(key any) any {
	if key == (requestKey{}) {
		return s
	}
	return s.Context.Value(key)
}

// tracked returns the request that ctx is of: under managers one inside another, of
// the innermost.
func tracked(ctx context.Context) *request {
	s, _ := ctx.Value(requestKey{}).(*request)
	return s
}

// request returns the request that ctx is of under m.Track, or nil.
func (m *Manager) request(ctx context.Context) *request {
	s := tracked(ctx)
	for s != nil && s.m != m {
		s = s.outer
	}
	return s
}

func (s *request) enter(p phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = p
}

// begun reports whether the response has begun.
func (s *request) begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase > serving
}

func (s *request) hasSaved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase == saved
}

func (s *request) membership() membership {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *request) wishes() wishes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// join makes the request one of a session.
func (s *request) join(record *store.Record, userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = membership{standing: live, record: record, userID: userID}
}

// hold makes the request one of a session that it holds by a token which it has issued.
func (s *request) hold(record *store.Record, userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = membership{standing: live, by: byToken, record: record, userID: userID}
}

// end notes that the request has ended its session.
func (s *request) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at.standing, s.at.why = ended, nil
}

// overrule notes that the request's session was revoked from elsewhere. The
// request may revoke nothing from now on.
func (s *request) overrule(why *RevokedError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at.standing, s.at.why = overruled, why
}

// isOverruled reports whether the request's session was revoked from elsewhere,
// and was this user's.
func (s *request) isOverruled(userID string) bool {
	if s == nil {
		return false
	}
	at := s.membership()
	return at.standing == overruled && at.userID == userID
}

// keepInner notes the cookie that a manager inside has set: if this one's save step
// fails, that cookie is not lost.
func (s *request) keepInner(setCookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inner = append(s.inner, setCookie)
}

func (s *request) innerCookies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner
}

// isWrong notes a mistake in the program.
func (s *request) isWrong(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong = err
}

func (s *request) mistake() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wrong
}

// prove notes that the user has proved who they are.
func (s *request) prove(p proof) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked.proof = max(s.asked.proof, p)
}

// hasRevokedAll notes that this request has revoked all sessions of a user: a
// sign-in of that user's that it makes comes after that. An empty key stands for
// everyone.
func (s *request) hasRevokedAll(user string, at time.Time) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.anew == nil {
		s.anew = make(map[string]time.Time, 1)
	}
	s.anew[user] = at.Add(time.Microsecond)
}

// signInBegan returns when a sign-in of a user in this request began: when it arrived,
// or after it has revoked all of that user's sessions.
func (s *request) signInBegan(user string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.MaxFunc([]time.Time{s.began, s.anew[user], s.anew[""]}, time.Time.Compare)
}

// leave asks the save step to end the session and to clear the cookie. It clears
// the cookie even if the session has ended already.
func (s *request) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked.leave = true
}

// readSource notes that another session was read.
func (s *request) readSource(key string, record store.Record) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked.sources = append(s.asked.sources, &source{key: key, record: record})
}

// mergedSources returns the sessions that were merged into this one.
func (s *request) mergedSources() (records []store.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, src := range s.asked.sources {
		if src.merged {
			records = append(records, src.record)
		}
	}
	return records
}

// deferDelete leaves the deletion of a token to the save step, if the token came
// with this request or was read in it, and the save step is not over. The save
// step itself deletes what it has to, so what scs deletes in it is no wish.
func (s *request) deferDelete(key string) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == saved {
		return false
	}
	for _, src := range s.asked.sources {
		if src.key == key {
			src.merged = true
			return true
		}
	}
	if s.came.token == "" || s.m.router.key(s.came.token) != key {
		return false
	}
	if s.phase == serving {
		s.asked.release = true
	}
	return true
}

// issue notes the new token of the response.
func (s *request) issue(t token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued = issued{t, s.m.router.key(t.secret)}
}

// keepToken notes by which key scs calls a session that the request holds by a token.
func (s *request) keepToken(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.by == byToken {
		s.issued = issued{key: key}
	}
}

// nameOfToken returns the session that the request holds by a token, if that is what scs
// calls by key.
func (s *request) nameOfToken(key string) (name, bool) {
	if s == nil {
		return name{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	came := s.came.token != "" && s.m.router.key(s.came.token) == key
	if s.at.by != byToken || !came && (s.issued.key == "" || s.issued.key != key) {
		return name{}, false
	}
	return name{user: s.at.record.User, id: s.at.record.ID, userID: s.at.userID, secret: s.at.record.Secret}, true
}

// skipRenewal notes that the token which scs has given the session in a renewal was
// never stored: to scs it goes on as the name of the session.
func (s *request) skipRenewal(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = s.m.router.key(token)
}

// cookieOf returns the cookie that scs calls by key: the one that came, which a
// renewal that was skipped has left, or the one that was issued. Any other key is
// returned as it is.
func (s *request) cookieOf(key string) string {
	if s == nil {
		return key
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.issued.key != "" && s.issued.key == key:
		return s.issued.token.String()
	case s.came.token != "" && (s.skipped == key || s.m.router.key(s.came.token) == key):
		return s.came.token
	}
	return key
}
