package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// Sessions in a database that the application has already.
func ExampleNew() {
	db, err := sql.Open("sqlite", "file::memory:?_pragma=busy_timeout(5000)")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // of a database in memory, each connection has its own

	st := sqlstore.New(db, sqlstore.SQLite)
	if err := st.Migrate(context.Background()); err != nil { // or put Schema into your own migrations
		panic(err)
	}
	sessions := revoke.New(scs.New(), st)
	list, err := sessions.List(context.Background(), "ann")
	fmt.Println(len(list), err)
	// Output: 0 <nil>
}
