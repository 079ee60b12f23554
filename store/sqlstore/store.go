package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// Store is a [store.Store] in an SQL database. Call Migrate once before it is used.
// Set its fields before that, too.
type Store struct {
	// Timeout limits each call, from waiting for a connection to the answer, retries
	// included. If it is not positive, it is 2 seconds. All and Prune take many steps:
	// it limits each of them. It does not limit Migrate. If Timeout ends a call, that
	// call may have been carried out nevertheless. With SQLite it has changed nothing.
	Timeout time.Duration

	// Replicated has revocations wait for the synchronous standby of PostgreSQL, see
	// the package comment. Other databases ignore it.
	Replicated bool

	// Listen, if not nil, is how Subscribe hears from PostgreSQL. If it is set, each
	// revocation sends a notice. Listen connects and listens on the channel. When that
	// stands, it calls heard with the empty string, and again whenever it stands anew
	// after notices may have been lost. It calls heard with the payload of each notice.
	// It returns when ctx is done or the connection is lost.
	Listen func(ctx context.Context, channel string, heard func(payload string)) error

	db      *sql.DB
	dialect Dialect
	engine  engine
	notices notices
}

// An engine is what the kinds of databases each do in their own way.
type engine interface {
	create(ctx context.Context, r store.Record, limit store.Limit) ([]store.Record, error)
	revoke(ctx context.Context, user, id string, why store.Revocation) ([]store.Record, error)
	revokeAll(ctx context.Context, user, keep string, why store.Revocation) ([]store.Record, error)
	revokeEveryone(ctx context.Context) error

	// read runs statements that change nothing, and write some which each change one
	// row, with the context that they are to have. If they are durable, they outlive
	// a power cut once they are answered.
	read(ctx context.Context, fn func(context.Context, querier) error) error
	write(ctx context.Context, durable bool, fn func(context.Context, querier) error) error
}

// A querier is a connection, or a pool of them.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// New returns a store in the database. The pool stays the caller's, to be closed
// when the store is no longer used. New panics if there is no such dialect.
func New(db *sql.DB, d Dialect) *Store {
	s := &Store{db: db, dialect: d}
	switch d {
	case Postgres, MySQL:
		s.engine = &functions{s}
	case SQLite:
		s.engine = &transactions{Store: s, writer: make(chan struct{}, 1)}
	default:
		panic("sqlstore: no such dialect: " + d.String())
	}
	return s
}

func (s *Store) timeout() time.Duration {
	if s.Timeout <= 0 {
		return 2 * time.Second
	}
	return s.Timeout
}

// within runs a method, within the limits of the store and of the context. If the database
// has undone it in favour of another transaction, within runs it again.
func (s *Store) within(ctx context.Context, doing string, fn func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout(), errTimeout)
	defer cancel()
	err := retry(ctx, func() error { return fn(ctx) })
	switch {
	case err == nil || isAnswer(err):
		return err
	case ctx.Err() != nil && !errors.Is(err, store.ErrNotReplicated) && !errors.Is(err, ctx.Err()):
		err = fmt.Errorf("%w (%w)", over(ctx), err)
	}
	return fmt.Errorf("sqlstore: %s: %w", doing, err)
}

// reading is within for what changes nothing.
func (s *Store) reading(ctx context.Context, doing string, fn func(context.Context, querier) error) error {
	return s.within(ctx, doing, func(ctx context.Context) error { return s.engine.read(ctx, fn) })
}

var errNoStandby = errors.New("synchronous_standby_names is empty")

var errTimeout = fmt.Errorf("no answer from the database in time: %w", context.DeadlineExceeded)

// over returns why a context is done.
func over(ctx context.Context) error {
	if context.Cause(ctx) == errTimeout {
		return errTimeout
	}
	return ctx.Err()
}

// isAnswer reports whether err is what the contract says of a session, and no
// failure.
func isAnswer(err error) bool {
	if errors.Is(err, store.ErrNotReplicated) {
		return false
	}
	for _, answer := range []error{store.ErrNotFound, store.ErrRevoked, store.ErrStale, store.ErrExists, store.ErrActorRevoked} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, r store.Record, limit store.Limit) (evicted []store.Record, err error) {
	err = s.within(ctx, "create a session", func(ctx context.Context) (err error) {
		evicted, err = s.engine.create(ctx, r, limit)
		return err
	})
	return s.ended(r.User, evicted), err
}

// Revoke implements [store.Store].
func (s *Store) Revoke(ctx context.Context, user, id string, why store.Revocation) (store.Record, error) {
	var were []store.Record
	err := s.within(ctx, "revoke a session", func(ctx context.Context) (err error) {
		were, err = s.engine.revoke(ctx, user, id, why)
		return err
	})
	if s.ended(user, were); len(were) == 0 {
		return store.Record{}, err
	}
	return were[0], err
}

// RevokeAll implements [store.Store].
func (s *Store) RevokeAll(ctx context.Context, user, keep string, why store.Revocation) (were []store.Record, err error) {
	err = s.within(ctx, "revoke all sessions of a user", func(ctx context.Context) (err error) {
		were, err = s.engine.revokeAll(ctx, user, keep, why)
		return err
	})
	return s.ended(user, were), err
}

// ended tells of a user's sessions that have ended, and returns them.
func (s *Store) ended(user string, sessions []store.Record) []store.Record {
	if len(sessions) > 0 {
		s.notices.publish(user)
	}
	return sessions
}

// RevokeEveryone implements [store.Store]. It is one statement over one row, however
// many sessions there are: they belong to an era that is over. Create deletes a few
// of them each time, and Prune all.
func (s *Store) RevokeEveryone(ctx context.Context) error {
	err := s.within(ctx, "revoke everyone", s.engine.revokeEveryone)
	if err == nil || errors.Is(err, store.ErrNotReplicated) {
		s.notices.publish("")
	}
	return err
}
