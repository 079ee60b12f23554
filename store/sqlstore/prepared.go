package sqlstore

import (
	"context"
	"database/sql"
)

// prepared are the statements that concern one user, by their text. To parse one takes
// SQLite longer than to run it, so each connection parses it once, and again by itself if
// the tables have changed.
type prepared map[string]*sql.Stmt

var ofUser = []statement{
	findStatement, listStatement, updateStatement, touchStatement,
	standsStatement, onceStatement, markStatement, insertStatement, setOnceStatement, setMarkStatement,
	countStatement, beyondStatement, liveStatement, othersStatement, buryStatement, forgetStatement, retireStatement,
}

// prepare returns the statements, prepared on the pool at the first call that succeeds.
func (l *transactions) prepare(ctx context.Context) (prepared, error) {
	if p := l.prepared.Load(); p != nil {
		return *p, nil
	}
	p := make(prepared)
	for _, st := range ofUser {
		text := st[SQLite].text
		stmt, err := l.db.PrepareContext(ctx, text)
		if err != nil {
			p.close()
			return nil, err
		}
		p[text] = stmt
	}
	if !l.prepared.CompareAndSwap(nil, &p) {
		p.close()
		p = *l.prepared.Load()
	}
	return p, nil
}

func (p prepared) close() {
	for _, stmt := range p {
		stmt.Close()
	}
}

// on runs what is prepared on the pool.
func (p prepared) on(db *sql.DB) querier {
	return runner{db, func(text string) *sql.Stmt { return p[text] }}
}

// in runs what is prepared in a transaction.
func (p prepared) in(ctx context.Context, tx *sql.Tx) querier {
	return runner{tx, func(text string) *sql.Stmt {
		if p[text] == nil {
			return nil
		}
		return tx.StmtContext(ctx, p[text])
	}}
}

// A runner runs statements as they were prepared, and others by their text.
type runner struct {
	querier
	prepared func(text string) *sql.Stmt
}

func (r runner) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := r.prepared(query); stmt != nil {
		return stmt.ExecContext(ctx, args...)
	}
	return r.querier.ExecContext(ctx, query, args...)
}

func (r runner) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := r.prepared(query); stmt != nil {
		return stmt.QueryContext(ctx, args...)
	}
	return r.querier.QueryContext(ctx, query, args...)
}
