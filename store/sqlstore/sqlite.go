package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// transactions is the engine of SQLite: a transaction that has the only lock for
// writing from its beginning.
type transactions struct {
	*Store
	writer   chan struct{} // has a place for the one that writes
	prepared atomic.Pointer[prepared]
}

// A transaction has the lock, and concerns the sessions of a user.
type transaction struct {
	*Store
	ctx  context.Context
	q    querier
	user string
}

// alone runs fn, which writes, on a connection that is set for it.
//
// Those who wait do so in a queue, because SQLite has them sleep, and then some
// starve. What has begun is not cancelled: it takes as long as the disk does, and its
// outcome is known.
func (l *transactions) alone(ctx context.Context, durable bool, fn func(whole context.Context, conn *sql.Conn) error) (err error) {
	select {
	case l.writer <- struct{}{}:
	case <-ctx.Done():
		return over(ctx)
	}
	defer func() { <-l.writer }()
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()

	whole := context.WithoutCancel(ctx)
	restore, err := settle(whole, conn, durable)
	defer restore()
	if err != nil {
		return err
	}
	return fn(whole, conn)
}

// discard has the pool close a connection. Whatever it was doing is rolled back.
func discard(conn *sql.Conn) {
	conn.Raw(func(any) error { return driver.ErrBadConn })
}

const full = 2 // of the pragma synchronous: what is committed outlives a power cut

// settle sets what a transaction needs of a connection, and returns what puts back
// what the application had set.
func settle(ctx context.Context, conn *sql.Conn, durable bool) (restore func(), err error) {
	var undo []string
	restore = func() {
		for _, pragma := range undo {
			if _, err := conn.ExecContext(ctx, pragma); err != nil {
				discard(conn)
			}
		}
	}
	set := func(name string, wrong func(int) bool, right int) error {
		var is int
		if err := conn.QueryRowContext(ctx, "pragma "+name).Scan(&is); err != nil || !wrong(is) {
			return err
		}
		undo = append(undo, fmt.Sprintf("pragma %s = %d", name, is))
		_, err := conn.ExecContext(ctx, fmt.Sprintf("pragma %s = %d", name, right))
		return err
	}
	// SQLite would wait here whatever the context says. It is asked again instead.
	err = set("busy_timeout", func(ms int) bool { return ms > 100 }, 100)
	if err == nil && durable {
		err = set("synchronous", func(level int) bool { return level < full }, full)
	}
	return restore, err
}

// write runs fn in a transaction, of which the first statement must write: it takes the
// lock.
func (l *transactions) write(ctx context.Context, durable bool, fn func(context.Context, querier) error) error {
	prepared, err := l.prepare(ctx)
	if err != nil {
		return err
	}
	return l.alone(ctx, durable, func(whole context.Context, conn *sql.Conn) error {
		tx, err := conn.BeginTx(whole, nil)
		if err != nil {
			if !busy(err) {
				discard(conn) // it may have begun all the same
			}
			return err
		}
		if err := fn(whole, prepared.in(whole, tx)); err != nil {
			if tx.Rollback() != nil {
				discard(conn)
			}
			return err
		}
		if err := tx.Commit(); err != nil {
			discard(conn) // it may not have ended
			return err
		}
		return nil
	})
}

// begin runs fn in a transaction for a user. It takes the lock by deleting a few rows of
// what has ended.
func (l *transactions) begin(ctx context.Context, durable bool, user string, fn func(*transaction) error) error {
	return l.write(ctx, durable, func(ctx context.Context, q querier) error {
		t := &transaction{l.Store, ctx, q, user}
		if err := t.exec(retireStatement, retired); err != nil {
			return err
		}
		return fn(t)
	})
}

// read does not cancel what it has begun either: that would cost more than it takes.
// If the pool is bounded it first waits for a connection, as long as the context says.
func (l *transactions) read(ctx context.Context, fn func(context.Context, querier) error) error {
	whole := context.WithoutCancel(ctx)
	if l.db.Stats().MaxOpenConnections == 0 {
		prepared, err := l.prepare(ctx)
		if err != nil {
			return err
		}
		return fn(whole, prepared.on(l.db))
	}
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return fn(whole, conn)
}

// create is durable only if it evicts, which it knows in the transaction, when it is too
// late to say so: then it starts anew.
func (l *transactions) create(ctx context.Context, r store.Record, limit store.Limit) (evicted []store.Record, err error) {
	for _, durable := range []bool{false, true} {
		err = l.begin(ctx, durable, r.User, func(t *transaction) (err error) {
			evicted, err = t.create(r, limit)
			if err == nil && len(evicted) > 0 && !durable {
				return errEvicts
			}
			return err
		})
		if err != errEvicts {
			break
		}
	}
	return known(evicted, err)
}

var errEvicts = errors.New("sessions are evicted")

func (l *transactions) revoke(ctx context.Context, user, id string, why store.Revocation) (were []store.Record, err error) {
	err = l.begin(ctx, true, user, func(t *transaction) (err error) {
		were, err = t.revoke(id, why)
		return err
	})
	return known(were, err)
}

func (l *transactions) revokeAll(ctx context.Context, user, keep string, why store.Revocation) (were []store.Record, err error) {
	err = l.begin(ctx, true, user, func(t *transaction) (err error) {
		were, err = t.revokeAll(keep, why)
		return err
	})
	return known(were, err)
}

// known returns nothing with an error: the transaction was rolled back.
func known(sessions []store.Record, err error) ([]store.Record, error) {
	if err != nil {
		return nil, err
	}
	return sessions, nil
}

var everyoneStatement = newStatement("update revoke_state set era = era + 1, everyone = {greatest}(everyone, {now})")

func (l *transactions) revokeEveryone(ctx context.Context) error {
	return l.write(ctx, true, func(ctx context.Context, q querier) error {
		_, err := l.exec(ctx, q, everyoneStatement)
		return err
	})
}

func (t *transaction) exec(st statement, args ...any) error {
	_, err := t.Store.exec(t.ctx, t.q, st, args...)
	return err
}

func (t *transaction) listed(st statement, args ...any) ([]store.Record, error) {
	return t.Store.listed(t.ctx, t.q, t.user, st, args...)
}

// any reports whether a statement selects any row, and scans it into targets.
func (t *transaction) any(st statement, args []any, targets ...any) (found bool, err error) {
	err = t.query(t.ctx, t.q, st, func(scan func(...any) error) error {
		found = true
		return scan(targets...)
	}, args...)
	return found, err
}

// now is the time in a transaction.
func (t *transaction) now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
