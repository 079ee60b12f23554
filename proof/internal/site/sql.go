package site

import (
	"context"
	"database/sql"
	"time"

	"github.com/alexedwards/scs/postgresstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// A database is what differs between those that are used.
type database struct {
	driver   string
	dialect  sqlstore.Dialect
	visitors func(*sql.DB) scs.Store
	schema   string // of the visitors' store
}

var databases = map[Kind]database{
	Postgres: {
		"pgx", sqlstore.Postgres,
		func(db *sql.DB) scs.Store { return postgresstore.NewWithCleanupInterval(db, 0) },
		"create table sessions (token text primary key, data bytea not null, expiry timestamptz not null)",
	},
	SQLite: {
		"sqlite", sqlstore.SQLite,
		func(db *sql.DB) scs.Store { return sqlite3store.NewWithCleanupInterval(db, 0) },
		"create table sessions (token text primary key, data blob not null, expiry real not null)",
	},
}

func openSQL(p Place) (*backend, error) {
	d := databases[p.Kind]
	db, err := sql.Open(d.driver, p.Address)
	if err != nil {
		return nil, err
	}
	db.SetMaxIdleConns(32)
	st := sqlstore.New(db, d.dialect)
	st.Timeout = 10 * time.Second // the machine may be busy
	return &backend{
		sessions: st,
		visitors: d.visitors(db),
		erase: func(user, id string) error {
			_, err := db.Exec("delete from revoke_sessions where usr = $1 and id = $2", []byte(user), []byte(id))
			return err
		},
		conns: func() (open, idle int) {
			stats := db.Stats()
			return stats.OpenConnections, stats.Idle
		},
	}, nil
}

// Prepare makes the tables of a database, once for all processes.
func Prepare(p Place) error {
	d := databases[p.Kind]
	db, err := sql.Open(d.driver, p.Address)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := sqlstore.New(db, d.dialect).Migrate(context.Background()); err != nil {
		return err
	}
	_, err = db.Exec(d.schema)
	return err
}
