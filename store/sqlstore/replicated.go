package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// confirmed returns what a revocation has returned, once the synchronous standby has
// it, if the application wants that.
//
// The revocation itself was committed without the standby. So it is visible at once
// and holds no lock; a commit that waits for the standby would leave the session
// open to everybody meanwhile. It comes before this one in the log, so whoever has
// this one has it too. What was refused is confirmed as well, since another call may
// have done it a moment ago.
func (f *functions) confirmed(ctx context.Context, were []store.Record, err error) ([]store.Record, error) {
	if !f.Replicated || f.dialect != Postgres || err != nil && !isAnswer(err) {
		return were, err
	}
	if late := f.confirm(ctx); late != nil {
		return were, fmt.Errorf("%w: %w", store.ErrNotReplicated, late)
	}
	return were, err
}

// confirmStatement is a transaction with nothing in it but a message that nobody
// reads, which makes it wait for the standby.
const confirmStatement = `select current_setting('synchronous_standby_names'), pg_logical_emit_message(true, 'revoke', ''),
	set_config('synchronous_commit', case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end, true)`

// confirm has half the time that is left, so that its outcome can be answered in the
// other.
func (f *functions) confirm(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeoutCause(ctx, time.Until(deadline)/2, errTimeout)
	defer cancel()
	var standbys, position, level string
	err := f.db.QueryRowContext(ctx, confirmStatement).Scan(&standbys, &position, &level)
	switch {
	case ctx.Err() != nil: // also if the driver knows of no error: it may have cancelled the wait
		return over(ctx)
	case err != nil:
		return err
	case standbys == "":
		return errNoStandby
	}
	return nil
}
