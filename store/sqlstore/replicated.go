package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// confirmed runs a revocation, and returns once the synchronous standby has it, if the
// application wants that.
//
// The revocation itself is committed without the standby. So it is visible at once
// and holds no lock; a commit that waits for the standby would leave the session
// open to everybody meanwhile. It comes before this one in the log, so whoever has
// this one has it too. That is so in the log of one server: after a failover the pool may
// have connections to two, so both take the same connection. What was refused is
// confirmed as well, since another call may have done it a moment ago.
func (f *functions) confirmed(ctx context.Context, revoke func(conn *sql.Conn) error) error {
	return f.once(ctx, func(conn *sql.Conn) error {
		err := revoke(conn)
		if !f.Replicated || f.dialect != Postgres || err != nil && !isAnswer(err) {
			return err
		}
		if late := f.confirm(ctx, conn); late != nil {
			return fmt.Errorf("%w: %w", store.ErrNotReplicated, late)
		}
		return err
	})
}

// confirmStatement is a transaction with nothing in it but a message that nobody
// reads, which makes it wait for the standby.
const confirmStatement = `select ` + standbys + `, pg_logical_emit_message(true, 'revoke', ''),
	set_config('synchronous_commit', case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end, true)`

const standbys = `current_setting('synchronous_standby_names')`

// confirm has half the time that is left, so that its outcome can be answered in the
// other. If the list of standbys is emptied while it waits, the wait ends as if they had
// answered, so it looks at the list before and after.
func (f *functions) confirm(ctx context.Context, conn *sql.Conn) error {
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeoutCause(ctx, time.Until(deadline)/2, errTimeout)
	defer cancel()
	var before, position, level, after string
	err := conn.QueryRowContext(ctx, confirmStatement).Scan(&before, &position, &level)
	if err == nil && ctx.Err() == nil {
		err = conn.QueryRowContext(ctx, "select "+standbys).Scan(&after)
	}
	switch {
	case ctx.Err() != nil: // also if the driver knows of no error: it may have cancelled the wait
		return over(ctx)
	case err != nil:
		return err
	case before == "" || after == "":
		return errNoStandby
	}
	return nil
}
