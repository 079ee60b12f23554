package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/revoke-sessions/revoke/store"
)

// functions is the engine of PostgreSQL and of MySQL: one call of a function or a
// procedure in the database for each method that concerns several sessions of a
// user. So no transaction ever waits for the application, which may have stopped.
// Their names carry a version: processes of two versions can run at once.
type functions struct{ *Store }

// answers are what functions answer if they did nothing.
var answers = map[string]error{
	"not found": store.ErrNotFound,
	"revoked":   store.ErrRevoked,
	"exists":    store.ErrExists,
	"not live":  store.ErrActorRevoked,
}

var (
	errUnexpected = errors.New("unexpected answer from the database")
	errTooLong    = errors.New("name is too long")
)

// once runs fn, which writes, on a connection. The pool would send a statement again
// after lib/pq has lost the answer to it, and the second answer says nothing about the
// first. Not so a connection.
func (f *functions) once(ctx context.Context, fn func(conn *sql.Conn) error) error {
	conn, err := f.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return fn(conn)
}

// fit returns an error if MySQL would cut names: its mode may be such that it does so
// without a word, and then they are those of others.
func (f *functions) fit(names ...string) error {
	if f.dialect == MySQL && slices.ContainsFunc(names, func(name string) bool { return len(name) > longest }) {
		return errTooLong
	}
	return nil
}

const longest = 1536 // bytes of a name, in schema/mysql.sql

func (f *functions) create(ctx context.Context, r store.Record, limit store.Limit) (evicted []store.Record, err error) {
	if err := f.fit(r.User, r.ID); err != nil {
		return nil, err
	}
	err = f.once(ctx, func(conn *sql.Conn) (err error) {
		evicted, err = f.call(ctx, conn, r.User, "revoke_create_1", []byte(r.User), []byte(r.ID), r.Secret[:], hash(r.Prev),
			micros(r.RenewedAt), micros(r.UsedAt), r.CreatedAt.UnixMicro(), micros(r.SeenAt), micros(r.ProvedAt), expiry(r),
			micros(r.Deadline), bytes(r.Client), bytes(r.Data), micros(r.Once),
			min(max(limit.Max, 0), math.MaxInt32), []byte(store.Evicted)) // nobody has more sessions
		return err
	})
	return evicted, err
}

func (f *functions) revoke(ctx context.Context, user, id string, why store.Revocation) (were []store.Record, err error) {
	if err := f.fit(user, id, why.By); err != nil {
		return nil, err
	}
	err = f.confirmed(ctx, func(conn *sql.Conn) (err error) {
		were, err = f.call(ctx, conn, user, "revoke_one_1", []byte(user), []byte(id), micros(why.At), []byte(why.Reason), []byte(why.By))
		if err == nil && len(were) != 1 {
			err = errUnexpected
		}
		return err
	})
	return were, err
}

func (f *functions) revokeAll(ctx context.Context, user, keep string, why store.Revocation) (were []store.Record, err error) {
	if err := f.fit(user, keep, why.By); err != nil {
		return nil, err
	}
	err = f.confirmed(ctx, func(conn *sql.Conn) (err error) {
		were, err = f.call(ctx, conn, user, "revoke_all_1", []byte(user), []byte(keep), micros(why.At), micros(why.Until),
			[]byte(why.Reason), []byte(why.By))
		return err
	})
	return were, err
}

func (f *functions) revokeEveryone(ctx context.Context) error {
	return f.confirmed(ctx, func(conn *sql.Conn) (err error) {
		if f.dialect == Postgres {
			_, err = conn.ExecContext(ctx, "select revoke_everyone_1($1, $2)", f.Replicated, f.notifies())
		} else {
			_, err = f.exec(ctx, conn, everyoneStatement)
		}
		return inTime(ctx, err)
	})
}

func (f *functions) read(ctx context.Context, fn func(context.Context, querier) error) error {
	return fn(ctx, f.db)
}

func (f *functions) write(ctx context.Context, _ bool, fn func(context.Context, querier) error) error {
	return f.once(ctx, func(conn *sql.Conn) error { return inTime(ctx, fn(ctx, conn)) })
}

// inTime returns an error if the time is over, although the driver knows of none:
// lib/pq takes the end of a wait that it has cancelled itself for a success.
func inTime(ctx context.Context, err error) error {
	if err == nil && ctx.Err() != nil {
		return over(ctx)
	}
	return err
}

// call calls a function and returns the sessions that it answers with.
func (f *functions) call(ctx context.Context, conn querier, user, name string, args ...any) ([]store.Record, error) {
	query := "call " + name + "(?" + strings.Repeat(", ?", len(args)-1) + ")"
	if f.dialect == Postgres {
		args = append([]any{lock(user), f.Replicated, f.notifies()}, args...)
		query = "select * from " + name + "("
		for i := range args {
			query += fmt.Sprintf("$%d, ", i+1)
		}
		query = strings.TrimSuffix(query, ", ") + ")"
	}
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	var list []store.Record
	var refused error
	err = scanAll(rows, func(scan func(...any) error) (err error) {
		r, err := answered(user, scan)
		if isAnswer(err) {
			refused = err
			return nil
		}
		list = append(list, r)
		return err
	})
	if err = inTime(ctx, err); err != nil {
		return nil, err
	}
	return list, refused
}

// answered returns the session that a row has, or what it says stands in the way.
func answered(user string, scan func(...any) error) (store.Record, error) {
	var row row
	var answer string
	var created, expires *int64
	targets := append([]any{&answer}, row.targets()...)
	for i, target := range targets { // a refusal has none
		switch target {
		case &row.created:
			targets[i] = &created
		case &row.expires:
			targets[i] = &expires
		}
	}
	if err := scan(targets...); err != nil {
		return store.Record{}, err
	}
	switch {
	case answers[answer] != nil:
		return store.Record{}, answers[answer]
	case created == nil || expires == nil:
		return store.Record{}, errUnexpected
	case answer == "marked":
		return store.Record{}, &store.MarkedError{Mark: store.Revocation{
			At: timeOf(created), Until: timeOf(expires), Reason: string(row.client), By: string(row.id),
		}}
	case answer != "ok":
		return store.Record{}, errUnexpected
	}
	row.created, row.expires = *created, *expires
	return row.record(user)
}
