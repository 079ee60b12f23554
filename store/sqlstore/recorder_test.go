package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"
)

// A recorder is a connector that remembers what is executed.
type recorder struct {
	driver     driver.Driver
	file       string
	statements []string
}

// recorded returns an SQLite database whose statements are remembered.
func recorded(t *testing.T, file string) (*recorder, *sql.DB) {
	r := &recorder{driver: open(t, "sqlite", "").Driver(), file: file}
	db := sql.OpenDB(r)
	t.Cleanup(func() { db.Close() })
	return r, db
}

func (r *recorder) Driver() driver.Driver { return r.driver }

func (r *recorder) Connect(context.Context) (driver.Conn, error) {
	conn, err := r.driver.Open(r.file)
	return &recordedConn{conn, r}, err
}

func (r *recorder) add(statement string) { r.statements = append(r.statements, statement) }

type recordedConn struct {
	driver.Conn
	*recorder
}

func (c *recordedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.add(query)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c *recordedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.add(query)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c *recordedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.add("begin")
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	return &recordedTx{tx, c.recorder}, err
}

func (c *recordedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	return &recordedStmt{stmt, c.recorder, query}, err
}

type recordedTx struct {
	driver.Tx
	*recorder
}

func (t *recordedTx) Commit() error {
	t.add("commit")
	return t.Tx.Commit()
}

type recordedStmt struct {
	driver.Stmt
	*recorder
	query string
}

func (s *recordedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.add(s.query)
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *recordedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.add(s.query)
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}
