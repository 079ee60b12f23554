package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
)

//go:embed schema
var schemas embed.FS

const version = 1 // of the schema

// Schema returns what Migrate does as a text, for the application's own migrations:
// the tables, and for PostgreSQL and MySQL the functions or procedures. Statements
// end with a semicolon and an empty line, and there is no empty line within one.
// The text leaves alone what is there already, so it can run again. The text of a later
// version brings the tables of an earlier one up to date. SQLite should also be told, once,
// "pragma journal_mode = wal".
func Schema(d Dialect) string {
	text, err := schemas.ReadFile("schema/" + d.String() + ".sql")
	if err != nil {
		panic("sqlstore: no such dialect: " + d.String())
	}
	return string(text)
}

func statements(d Dialect) []string {
	return strings.Split(strings.TrimSpace(Schema(d)), "\n\n")
}

// Migrate makes the tables, or brings those of an earlier version up to date. If they are
// as this version of the package needs them, it does nothing. Any number of processes may call
// it at once. Processes of an earlier version go on with what it leaves. It is
// limited by the context alone.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.mustCommit(ctx); err != nil {
		return fmt.Errorf("sqlstore: migrate: %w", err)
	}
	if s.migrated(ctx) {
		return nil
	}
	migrate := map[Dialect]func(context.Context) error{
		Postgres: s.migratePostgres, SQLite: s.migrateSQLite, MySQL: s.migrateMySQL,
	}[s.dialect]
	if err := retry(ctx, func() error { return migrate(ctx) }); err != nil {
		return fmt.Errorf("sqlstore: migrate: %w", err)
	}
	return nil
}

// mustCommit returns an error if the connections have autocommit off, which only MySQL
// knows. What is written would then be answered, and lost, and what is read would be of
// the past.
func (s *Store) mustCommit(ctx context.Context) error {
	if s.dialect != MySQL {
		return nil
	}
	var on bool
	if err := s.db.QueryRowContext(ctx, "select @@autocommit").Scan(&on); err != nil {
		return err
	}
	if !on {
		return errors.New("autocommit is off")
	}
	return nil
}

func (s *Store) migrated(ctx context.Context) bool {
	var is int
	err := s.db.QueryRowContext(ctx, "select version from revoke_state").Scan(&is)
	return err == nil && is >= version
}

func (s *Store) migratePostgres(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "select pg_advisory_xact_lock($1)", lock("\x00schema")); err != nil {
		return err
	}
	for _, statement := range statements(Postgres) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s *Store) migrateSQLite(ctx context.Context) error {
	var mode string // it stays with the file
	if err := s.db.QueryRowContext(ctx, "pragma journal_mode = wal").Scan(&mode); err != nil {
		return err
	}
	return s.engine.(*transactions).alone(ctx, true, func(whole context.Context, conn *sql.Conn) error {
		all := slices.Concat([]string{"begin immediate"}, statements(SQLite), []string{"commit"})
		for _, statement := range all {
			if _, err := conn.ExecContext(whole, statement); err != nil {
				discard(conn) // it may be in the transaction
				return err
			}
		}
		return nil
	})
}

func (s *Store) migrateMySQL(ctx context.Context) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, "select get_lock('revoke schema', 600)").Scan(&got); err != nil {
		return err
	}
	if got.Int64 != 1 {
		return errors.New("another process is at it")
	}
	for _, statement := range statements(MySQL) {
		if _, err = conn.ExecContext(ctx, statement); err != nil {
			break
		}
	}
	if _, failed := conn.ExecContext(context.WithoutCancel(ctx), "do release_lock('revoke schema')"); failed != nil {
		discard(conn)
	}
	return err
}
