package sqlstore

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Dialect is the kind of database.
type Dialect int

const (
	Postgres Dialect = iota + 1 // PostgreSQL 12 or later
	SQLite                      // SQLite 3.31 or later
	MySQL                       // MariaDB 10.3 or later, or MySQL 8.0.29 or later
)

func (d Dialect) String() string {
	switch d {
	case Postgres:
		return "postgres"
	case SQLite:
		return "sqlite"
	case MySQL:
		return "mysql"
	}
	return "Dialect(" + strconv.Itoa(int(d)) + ")"
}

// A statement is written once and spelt for each dialect. Its parameters are $1, $2
// and so on, and what dialects say differently is in braces:
//
//	{now}    the time by the clock that counts, in microseconds since 1970
//	{hour}   the same in hours, rounded down
//	{live}   that a session has not ended
//	{rev}    what an update of MySQL changes, so that it counts as a change
//	{least}, {greatest}
type statement map[Dialect]spelling

// A spelling is a statement as one dialect has it.
type spelling struct {
	text  string
	order []int // of MySQL: which parameter each question mark stands for
	clock bool  // the time is one more parameter
}

const live = "revoked is null and expires > {now} and era + 0 = (select era from revoke_state)"

// microsOfMySQL goes on while a statement waits, which the first part of it does not.
const microsOfMySQL = "(timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) + timestampdiff(microsecond, now(6), sysdate(6)))"

var parameter = regexp.MustCompile(`\$\d+`)

func newStatement(text string) statement {
	text = strings.ReplaceAll(text, "{live}", live)
	given := 0
	for _, p := range parameter.FindAllString(text, -1) {
		n, _ := strconv.Atoi(p[1:])
		given = max(given, n)
	}
	clock := "?" + strconv.Itoa(given+1)
	postgres := strings.NewReplacer(
		"{now}", "revoke_now_1()", "{hour}", "extract(epoch from statement_timestamp())::bigint / 3600",
		"{rev}", "", "{least}", "least", "{greatest}", "greatest").Replace(text)
	mysql := strings.NewReplacer(
		"{now}", microsOfMySQL, "{hour}", "unix_timestamp() div 3600",
		"{rev}", "rev = rev + 1,", "{least}", "least", "{greatest}", "greatest").Replace(text)
	sqlite := strings.NewReplacer(
		"{now}", clock, "{hour}", clock+" / 3600000000",
		"{rev}", "", "{least}", "min", "{greatest}", "max", "$", "?").Replace(text)

	var order []int
	mysql = parameter.ReplaceAllStringFunc(mysql, func(p string) string {
		n, _ := strconv.Atoi(p[1:])
		order = append(order, n-1)
		return "?"
	})
	return statement{
		Postgres: {text: postgres},
		MySQL:    {text: mysql, order: order},
		SQLite:   {text: sqlite, clock: strings.Contains(sqlite, clock)},
	}
}

// args returns the arguments as the spelling wants them.
func (s spelling) args(args []any) []any {
	switch {
	case s.clock: // SQLite runs in this process, and has the machine's clock
		return append(args[:len(args):len(args)], time.Now().UnixMicro())
	case s.order != nil:
		ordered := make([]any, len(s.order))
		for i, n := range s.order {
			ordered[i] = args[n]
		}
		return ordered
	}
	return args
}
