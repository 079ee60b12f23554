package sqlstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// retry runs fn again as long as the database has undone all of it because of
// another, which is no failure. When the time is over it returns the last error.
func retry(ctx context.Context, fn func() error) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := fn()
		if !undone(err) {
			return err
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)): // not all at once
		case <-ctx.Done():
			return err
		}
	}
}

// undone reports whether err means that nothing has happened, and may if it is tried
// again. No driver is imported, so their errors are known by what they say.
func undone(err error) bool {
	if err == nil {
		return false
	}
	var state interface{ SQLState() string } // pgx and lib/pq
	if errors.As(err, &state) {
		// A serialization failure, or a deadlock.
		return slices.Contains([]string{"40001", "40P01"}, state.SQLState())
	}
	text := err.Error()
	return strings.Contains(text, "Error 1213") || // a deadlock of MySQL
		strings.Contains(text, "Error 1020") || // MariaDB, with innodb_snapshot_isolation: the row has changed
		busy(err)
}

// busy reports whether another process, or a connection of the application's, is
// writing to the SQLite database.
func busy(err error) bool {
	return err != nil && strings.Contains(err.Error(), "database is locked")
}
