package sqlstore_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/revoke-sessions/revoke/store/sqlstore"
)

// testPlans explains what each method of PostgreSQL does, with all that its functions
// do. However many sessions there are, a method reads those of its user by the primary
// key, and as many pages.
//
// With REVOKE_MILLION=1 there are a million sessions of 200,000 users, and -v prints
// what each method reads and how many bytes a session takes.
func testPlans(t *testing.T, dsn string) {
	few, many := 5_000, 50_000
	if os.Getenv("REVOKE_MILLION") != "" {
		many = 1_000_000
	}
	var notices []string
	config := must(pgx.ParseConfig(dsn))
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices = append(notices, n.Message) }
	for name, value := range map[string]string{
		"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0", "auto_explain.log_nested_statements": "on",
		"auto_explain.log_analyze": "on", "auto_explain.log_buffers": "on", "auto_explain.log_format": "json", "auto_explain.log_level": "notice",
	} {
		config.RuntimeParams[name] = value
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	db.SetMaxOpenConns(1)
	st := migrated(t, db, sqlstore.Postgres)

	read := func(sessions int) map[string]int {
		pages := make(map[string]int)
		for warm := range 8 { // until the database has made up its mind, and has its own tables at hand
			for _, call := range calls(t, st, fmt.Sprint("plans ", sessions, warm)) {
				if call.name == "RevokeEveryone" {
					continue
				}
				notices = nil
				call.run()
				pages[call.name] = 0
				for _, text := range notices {
					plan := explained(t, text)
					pages[call.name] = plan.Hit + plan.Read // the last is the call, with all in it
					plan.check(t, call.name)
				}
			}
		}
		return pages
	}
	fill(db, 0, few)
	before := read(few)
	size := tableSize(db)
	fill(db, few, many)
	size = tableSize(db) - size
	after := read(many)
	for _, name := range slices.Sorted(maps.Keys(before)) {
		t.Logf("%-15s reads %3d pages with %d sessions, %3d with %d", name, before[name], few, after[name], many)
		if before[name] == 0 {
			t.Errorf("%s was not explained", name)
		}
		// Indexes are a level or two deeper, and RevokeAll looks for each session by itself.
		if after[name] > 2*before[name] {
			t.Errorf("%s reads %d pages with %d sessions, and %d with %d", name, before[name], few, after[name], many)
		}
	}
	t.Logf("%d bytes a session, of which the user agent and the like take 104 and data 180", size/int64(many-few))

	notices = nil
	check(st.Prune(t.Context()))
	n := 0
	for _, err := range st.All(t.Context()) {
		check(err)
		n++
	}
	if n < many {
		t.Errorf("All returned %d sessions", n)
	}
	for _, text := range notices {
		explained(t, text).check(t, "Prune or All")
	}
}

// fill adds sessions, of five to a user.
func fill(db *sql.DB, from, to int) {
	must(db.Exec(`insert into revoke_sessions (usr, id, secret, created, seen, proved, expires, era, client, data)
		select sha256(convert_to('user ' || i / 5, 'UTF8')), substr(sha256(i::text::bytea), 1, 16), sha256('x'), 1, 1, 1,
			revoke_now_1() + i * 1000000::bigint + 86400000000, 1,
			convert_to(substr(repeat(md5(i::text), 4), 1, 104), 'UTF8'), convert_to(substr(repeat(md5(i::text), 6), 1, 180), 'UTF8')
		from generate_series($1::int, $2::int - 1) i`, from, to))
	must(db.Exec("vacuum analyze revoke_sessions"))
}

func tableSize(db *sql.DB) (n int64) {
	check(db.QueryRow("select pg_total_relation_size('revoke_sessions')").Scan(&n))
	return n
}

// A plan is a node of what PostgreSQL explains.
type plan struct {
	Node      string  `json:"Node Type"`
	Relation  string  `json:"Relation Name"`
	Index     string  `json:"Index Name"`
	Condition string  `json:"Index Cond"`
	Rows      float64 `json:"Actual Rows"`
	Loops     float64 `json:"Actual Loops"`
	Hit       int     `json:"Shared Hit Blocks"`
	Read      int     `json:"Shared Read Blocks"`
	Plans     []plan

	query string
}

func explained(t *testing.T, notice string) plan {
	t.Helper()
	_, text, ok := strings.Cut(notice, "plan:")
	var says struct {
		Query string `json:"Query Text"`
		Plan  plan
	}
	if err := json.Unmarshal([]byte(text), &says); !ok || err != nil {
		t.Fatalf("%v: %s", err, notice)
	}
	says.Plan.query = says.Query
	return says.Plan
}

// check has all sessions be found by their user, or as the few that have ended, and a
// statement of one session find one.
func (p plan) check(t *testing.T, name string) {
	t.Helper()
	for _, inner := range p.Plans {
		inner.query = p.query
		inner.check(t, name)
	}
	switch p.Node {
	case "ModifyTable", "LockRows", "Tid Scan", "Bitmap Heap Scan": // of what another node has found
		return
	}
	if p.Relation != "revoke_sessions" && !strings.HasPrefix(p.Index, "revoke_sessions") {
		return
	}
	rows := p.Rows * p.Loops
	switch {
	case p.Index == "revoke_sessions_pkey" && (strings.Contains(p.Condition, "usr = ") || strings.Contains(p.Condition, "ROW(usr, id) > ")):
	case p.Index == "revoke_sessions_due" && rows <= 4:
	default:
		t.Errorf("%s: %s by %s on %s finds %g sessions: %s", name, p.Node, p.Index, p.Condition, rows, p.query)
	}
	if one := name == "Find" || name == "Update" || name == "Touch"; one && rows != 1 {
		t.Errorf("%s finds %g sessions: %s", name, rows, p.query)
	}
}
