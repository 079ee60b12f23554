package store

import (
	"context"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"
)

// replicated sends a command, and behind it, in the same burst, the WAIT for so
// many replicas to have what it has written. If the command was carried out
// and they do not, it returns the answer and an error that is ErrNotReplicated.
func replicated(ctx context.Context, conn redis.Conn, replicas int, name string, args []any) (any, error) {
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	if left <= 0 {
		return nil, errTimeout
	}
	if err := conn.Send(name, args...); err != nil {
		return nil, inTime(err)
	}
	if err := conn.Send("WAIT", replicas, patience(left)); err != nil {
		return nil, inTime(err)
	}
	if err := conn.Flush(); err != nil {
		return nil, inTime(err)
	}
	receive := func() (any, error) {
		reply, err := redis.ReceiveWithTimeout(conn, max(time.Until(deadline), time.Millisecond))
		return reply, inTime(err)
	}
	reply, err := receive()
	if err != nil && conn.Err() != nil {
		return nil, err
	}
	have, waitErr := redis.Int(receive())
	if err != nil {
		return nil, err
	}
	return reply, enough(replicas, have, waitErr)
}

// patience is how many milliseconds the replicas get of the time that is left:
// half, so that the answer can come in the other.
func patience(left time.Duration) int64 { return max(left.Milliseconds()/2, 1) }

// enough judges the answer to a WAIT for so many replicas.
func enough(replicas, have int, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotReplicated, err)
	case have < replicas:
		return fmt.Errorf("%w: %d of %d replicas have it", ErrNotReplicated, have, replicas)
	}
	return nil
}
