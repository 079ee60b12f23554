package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// transactions is the engine of SQLite: a transaction that has the only lock for
// writing from its beginning.
type transactions struct {
	*Store
	writer chan struct{} // has a place for the one that writes
}

// A transaction runs on a connection that has the lock.
type transaction struct {
	*Store
	ctx  context.Context
	conn *sql.Conn
	user string
}

// begin runs fn in a transaction and commits it if fn returns no error.
//
// Those who wait do so in a queue, because SQLite has them sleep, and then some
// starve. A transaction that has begun is not cancelled: it takes as long as the
// disk does, and its outcome is known.
func (l *transactions) begin(ctx context.Context, durable bool, user string, fn func(*transaction) error) (err error) {
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
	if _, err := conn.ExecContext(whole, "begin immediate"); err != nil {
		if !busy(err) {
			discard(conn) // it may have begun all the same
		}
		return err
	}
	if err := fn(&transaction{l.Store, whole, conn, user}); err != nil {
		return rollback(whole, conn, err)
	}
	if _, err := conn.ExecContext(whole, "commit"); err != nil {
		return rollback(whole, conn, err)
	}
	return nil
}

func rollback(ctx context.Context, conn *sql.Conn, err error) error {
	if _, failed := conn.ExecContext(ctx, "rollback"); failed != nil {
		discard(conn)
	}
	return err
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

func (l *transactions) write(ctx context.Context, durable bool, fn func(context.Context, querier) error) error {
	return l.begin(ctx, durable, "", func(t *transaction) error { return fn(t.ctx, t.conn) })
}

// read does not cancel what it has begun either: that would cost more than it takes.
func (l *transactions) read(ctx context.Context, fn func(context.Context, querier) error) error {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return fn(context.WithoutCancel(ctx), conn)
}

func (l *transactions) create(ctx context.Context, r store.Record, limit store.Limit) (evicted []store.Record, err error) {
	err = l.begin(ctx, limit.Max > 0, r.User, func(t *transaction) (err error) {
		evicted, err = t.create(r, limit)
		return err
	})
	return known(evicted, err)
}

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
	return l.begin(ctx, true, "", func(t *transaction) error { return t.exec(everyoneStatement) })
}

func (t *transaction) exec(st statement, args ...any) error {
	_, err := t.Store.exec(t.ctx, t.conn, st, args...)
	return err
}

func (t *transaction) listed(st statement, args ...any) ([]store.Record, error) {
	return t.Store.listed(t.ctx, t.conn, t.user, st, args...)
}

// any reports whether a statement selects any row, and scans it into targets.
func (t *transaction) any(st statement, args []any, targets ...any) (found bool, err error) {
	err = t.query(t.ctx, t.conn, st, func(scan func(...any) error) error {
		found = true
		return scan(targets...)
	}, args...)
	return found, err
}

// now is the time in a transaction.
func (t *transaction) now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
