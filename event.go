package revoke

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/revoke-sessions/revoke/internal/queue"
	"github.com/revoke-sessions/revoke/store"
)

// An Event is something that happened to a session, for the audit log and for
// [Manager.OnEvent]. It is raised once, after the fact, and holds no token. Its
// texts are free of control characters and at most 512 bytes long.
type Event struct {
	Kind      Kind
	Time      time.Time  // UTC
	UserID    string     // whose session; empty if it is not known
	SessionID string     // the session it happened to; empty if it is not about one
	ActorID   string     // the session that did it; empty if none did
	IP        netip.Addr // of the request at hand
	UserAgent string     // of the request at hand
	Outcome   string     // "success", "denied" or "failure"
	Reason    string     // one of the Reason constants; empty if there is none
	Count     int        // how many sessions began or ended, or were seen
	Token     bool       // the session it happened to is an app's: see Session.Token
	Err       error      // what failed; nil if nothing did
}

// A Kind says what an Event is about.
type Kind string

// The kinds of events.
const (
	SignedIn           Kind = "signed_in"            // a session began
	Adopted            Kind = "adopted"              // a session from before revoke came was taken over
	Renewed            Kind = "renewed"              // a session has a new token
	LoggedOut          Kind = "logged_out"           // a user signed out of their own session
	Revoked            Kind = "revoked"              // one session was ended from elsewhere
	RevokedOthers      Kind = "revoked_others"       // all other sessions of a user were ended
	RevokedAll         Kind = "revoked_all"          // all sessions of a user were ended
	RevokedEveryone    Kind = "revoked_everyone"     // all sessions of all users were ended
	Evicted            Kind = "evicted"              // a session ended because of MaxPerUser
	Refused            Kind = "refused"              // the id is unknown, or somebody else's
	CrossOriginRefused Kind = "cross_origin_refused" // the request came from another site; once a minute for each session or network
	RateLimited        Kind = "rate_limited"         // the Limiter refused; not repeated until it lets a request of the same session or network through
	StepUpRefused      Kind = "step_up_refused"      // Authorize refused
	SignInRefused      Kind = "sign_in_refused"      // the user's sessions, or the one of the request, were revoked while it signed in
	RevokedTokenUsed   Kind = "revoked_token_used"   // the token of a revoked session was used; once per session and network, for at most four networks a session
	AddressChanged     Kind = "address_changed"      // a session was used from another network
	TokenReused        Kind = "token_reused"         // an old token was used, more than ReuseGrace after the next one was
	Undecodable        Kind = "undecodable"          // stored data cannot be read, or was tampered with; once per session and network, for at most four networks a session
	StoreFailed        Kind = "store_failed"         // a store failed: see Err
	Suspicious         Kind = "suspicious"           // a pattern in other events: see Reason, and Burst
)

// Reasons for which a session was revoked, as the store keeps them and a
// [RevokedError] tells them.
const (
	ReasonLoggedOut     = "logged_out"     // the user signed out of it
	ReasonRevoked       = "revoked"        // Revoke
	ReasonRevokedOthers = "revoked_others" // RevokeOthers
	ReasonRevokedAll    = "revoked_all"    // RevokeAll
	ReasonEvicted       = store.Evicted    // MaxPerUser
	ReasonMerged        = "merged"         // MergeSession moved it into another session
	ReasonReused        = "token_reused"   // somebody has an old copy of its token
)

var levels = map[Kind]slog.Level{
	Refused: slog.LevelWarn, CrossOriginRefused: slog.LevelWarn, RateLimited: slog.LevelWarn, StepUpRefused: slog.LevelWarn, SignInRefused: slog.LevelWarn,
	TokenReused: slog.LevelWarn, Undecodable: slog.LevelWarn, Suspicious: slog.LevelWarn, StoreFailed: slog.LevelError,
}

var outcomes = map[Kind]string{
	Refused: "denied", CrossOriginRefused: "denied", RateLimited: "denied", StepUpRefused: "denied", SignInRefused: "denied", RevokedTokenUsed: "denied",
	TokenReused: "denied", Undecodable: "failure", StoreFailed: "failure",
}

type scsLockKey struct{}

// underSCSLock returns a context in which events are raised from another goroutine:
// scs holds the lock on the data of the context, and whoever takes the event, a
// logger or ClientIP, may ask for that data.
func underSCSLock(ctx context.Context) context.Context {
	return context.WithValue(ctx, scsLockKey{}, true)
}

// isApp reports whether a session has its token from Issue, and not in a cookie.
func isApp(r store.Record) bool { return decodeClient(r.Client).Family != "" }

// emit raises an event, completed from the request at hand if there is one.
func (m *Manager) emit(ctx context.Context, e Event) {
	if ctx.Value(scsLockKey{}) != nil {
		go m.emit(context.WithValue(ctx, scsLockKey{}, nil), e)
		return
	}
	if s := m.request(ctx); s != nil {
		s.emit(ctx, e)
		return
	}
	m.raise(ctx, e)
}

func (s *request) emit(ctx context.Context, e Event) {
	c := s.m.clientOf(s.http)
	e.IP, e.UserAgent = c.IP, c.UserAgent
	if at := s.membership(); at.record != nil && at.record.ID == e.SessionID {
		e.Token = isApp(*at.record)
	}
	s.m.raise(ctx, e)
}

func (m *Manager) raise(ctx context.Context, e Event) {
	e.Time, e.UserID = time.Now().UTC(), clean(e.UserID)
	if e.Kind != Suspicious { // it has the outcome of what raised the alarm
		e.Outcome = cmp.Or(outcomes[e.Kind], "success")
	}
	m.log(ctx, e)
	if m.OnEvent != nil {
		m.hook.Send(e, e.Kind == Suspicious)
	}
	if seen, ok := m.patterns.see(e, m.burst()); ok {
		m.raise(ctx, seen)
	}
}

// log writes an event under the attribute names of OpenTelemetry's semantic
// conventions, where they have one.
func (m *Manager) log(ctx context.Context, e Event) {
	level := levels[e.Kind]
	if !m.logger().Enabled(ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 13), slog.String("event.name", "session."+string(e.Kind)), slog.String("outcome", e.Outcome))
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("user.id", e.UserID)
	add("session.id", e.SessionID)
	add("actor.session.id", e.ActorID)
	if e.IP.IsValid() {
		add("client.address", e.IP.String())
	}
	add("user_agent.original", e.UserAgent)
	add("reason", e.Reason)
	if e.Token {
		attrs = append(attrs, slog.Bool("session.token", true))
	}
	if e.Count > 0 {
		attrs = append(attrs, slog.Int("count", e.Count))
	}
	if e.Err != nil {
		add("error.message", clean(e.Err.Error()))
	}
	m.logger().LogAttrs(ctx, level, "session "+string(e.Kind), attrs...)
}

func (m *Manager) logger() *slog.Logger {
	if m.Logger != nil {
		return m.Logger
	}
	return slog.Default()
}

// storeFailed raises the failure of a store, unless the client has gone and
// nobody waits for an answer.
func (m *Manager) storeFailed(ctx context.Context, err error) {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return
	}
	m.emit(ctx, Event{Kind: StoreFailed, Err: err})
}

func (s *request) storeFailed(err error) {
	if errors.Is(err, context.Canceled) && s.http.Context().Err() != nil {
		return
	}
	s.emit(s.http.Context(), Event{Kind: StoreFailed, Err: err})
}

func (m *Manager) evicted(ctx context.Context, userID, by string, records []store.Record) {
	for _, r := range records {
		m.emit(ctx, Event{Kind: Evicted, UserID: userID, SessionID: r.ID, ActorID: by, Reason: ReasonEvicted, Count: 1, Token: isApp(r)})
	}
}

// revokedTokenUsed raises that a revoked token was presented. A browser goes on
// presenting it until its user signs in again, and a device that was revoked calls
// home at least once: that is the ordinary end of a session, and raised once. From
// another network it is an alarm.
func (s *request) revokedTokenUsed(tombstone store.Record) {
	nth := s.m.seeNetwork(tombstone.ID, s.network())
	if nth == 0 {
		return
	}
	e := Event{Kind: RevokedTokenUsed, SessionID: tombstone.ID, ActorID: tombstone.Revoked.By, Reason: tombstone.Revoked.Reason, Count: nth}
	s.emit(s.http.Context(), e)
	if nth == 2 {
		e.Kind, e.Reason, e.Outcome = Suspicious, ReasonRevokedTokenUsed, "denied"
		s.emit(s.http.Context(), e)
	}
}

// retiredTokenUsed raises that somebody has an old copy of a session's token: the
// user, or a thief. A request that was on its way when the newer token came into use
// is no reason for it.
func (s *request) retiredTokenUsed(r *retirement) {
	if time.Since(r.record.UsedAt) < grace {
		return
	}
	if nth := s.m.seeNetwork(r.record.ID, s.network()); nth > 0 {
		s.emit(s.http.Context(), Event{Kind: Suspicious, UserID: r.userID, SessionID: r.record.ID, Outcome: "denied", Reason: ReasonRetiredTokenUsed, Count: nth})
	}
}

// undecodable raises that a session's data cannot be read, once for each network.
// Otherwise whoever has its token, or that of another manager's session, could fill the log.
func (s *request) undecodable(id string, err error) {
	if id == "" || s.m.seeNetwork("undecodable "+id, s.network()) > 0 {
		s.emit(s, Event{Kind: Undecodable, SessionID: id, Err: err})
	}
}

// network returns the network that the request came from.
func (s *request) network() string { return network(s.m.peer(s.http)).String() }

// hasMoved reports whether the request came from another address than the session's
// last use, and no change to its network was raised before: a client with two addresses
// changes all the time, and one in an IPv6 network can have a new one each time.
func (s *request) hasMoved(at membership) bool {
	ip := s.m.clientIP(s.http)
	if sameAddress(at.record.Client, ip) {
		return false
	}
	known := false
	s.m.moves.With(at.record.ID+network(ip).String(), func(raised *bool) { known = *raised })
	return !known
}

func (s *request) addressChanged(ctx context.Context, at membership) {
	s.m.moves.With(at.record.ID+network(s.m.clientIP(s.http)).String(), func(raised *bool) { *raised = true })
	if at.by == byToken && !decodeClient(at.record.Client).IP.IsValid() {
		return // the first use of a token that was issued outside of a request
	}
	s.emit(ctx, Event{Kind: AddressChanged, UserID: at.userID, SessionID: at.record.ID, ActorID: at.record.ID})
}

// maxPending bounds the events that wait for OnEvent: so many alarms, and so many
// others.
const maxPending = 1024

// newHook returns the queue from which OnEvent is called.
func newHook(m *Manager) *queue.Queue[Event] {
	return &queue.Queue[Event]{
		Limit:   maxPending,
		Deliver: func(e Event) { m.OnEvent(e) },
		Failed: func(e Event, reason any) {
			if reason == nil {
				reason = "runtime.Goexit"
			}
			m.logger().Error("revoke: OnEvent panicked", slog.String("event.name", "session."+string(e.Kind)), slog.String("panic", clean(fmt.Sprint(reason))))
		},
		Dropped: func(lost int) {
			m.logger().Warn("revoke: OnEvent was too slow, and missed events", slog.Int("count", lost))
		},
	}
}

// FlushEvents waits until [Manager.OnEvent] has returned from every event that
// was raised before. Call it when the server has shut down, so that no event is
// lost. If ctx is done first, it returns the error of ctx. It must not be called
// from OnEvent.
func (m *Manager) FlushEvents(ctx context.Context) error { return m.hook.Flush(ctx) }
