// Sqlite is the basic example in one file: visitors' sessions in scs's own
// sqlite3store, signed-in ones in sqlstore, both in sessions.db. There is nothing to
// install, and sessions outlive a restart.
package main

import (
	"context"
	"database/sql"
	"flag"
	"log"

	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	_ "modernc.org/sqlite"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/examples/internal/site"
	"github.com/revoke-sessions/revoke/page"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// The table that scs's README has.
const visitors = `
create table if not exists sessions (token text primary key, data blob not null, expiry real not null);
create index if not exists sessions_expiry_idx on sessions (expiry);`

func main() {
	listen := flag.String("listen", "127.0.0.1:4000", "`address` to listen on; port 0 picks one")
	file := flag.String("file", "sessions.db", "the `file` that sessions are kept in")
	flag.Parse()

	// sqlstore needs nothing in the name. sqlite3store does: two that write at once wait.
	db, err := sql.Open("sqlite", "file:"+*file+"?_pragma=busy_timeout(5000)")
	if err != nil {
		log.Fatal(err)
	}
	st := sqlstore.New(db, sqlstore.SQLite)
	if err := st.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
	if _, err := db.Exec(visitors); err != nil {
		log.Fatal(err)
	}
	sm := scs.New()
	sm.Store = sqlite3store.New(db)
	sessions := revoke.New(sm, st)

	mux := site.New(sm, sessions)
	sessions.Mount(mux, "/api/auth/sessions")
	mux.Handle("/account/sessions", page.New(sessions, page.Options{LoginURL: "/"}))
	log.Fatal(site.Serve(*listen, sessions.Track(mux)))
}
