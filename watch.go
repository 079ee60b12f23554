package revoke

import (
	"context"
	"errors"

	"github.com/revoke-sessions/revoke/store"
)

// Watch returns a context that is cancelled as soon as the request's session ends, on
// this node or another. Use it for what goes on after a request was let in: an event
// stream, a WebSocket, a long poll, a download, a job in the background.
//
// The cause of the context is then a [*RevokedError]. It is [ErrUnauthenticated] if the
// session expired, left no tombstone, or was not there to begin with. The context is also
// cancelled when ctx is. Call the returned function when you are done.
//
// With a [store.Subscriber], Watch notices a revocation at once. If the subscription is
// down, Watch notices when it is up again. If the store fails to send the notice, Watch
// notices within two minutes. Any other store is asked every 5 seconds, and so is a
// Subscriber until its subscription is first up. If a session expires, Watch notices within 5 seconds.
// While a store cannot be reached, its watched sessions live on.
//
// Watch costs one look-up. One goroutine serves all watched sessions.
func (m *Manager) Watch(ctx context.Context) (context.Context, context.CancelFunc) {
	watched, cancel := context.WithCancelCause(ctx)
	record, _ := m.current(ctx)
	if record == nil {
		cancel(m.Err(ctx))
		return watched, func() { cancel(nil) }
	}
	remove := m.watch.Add(*record, func(tombstone store.Record, err error) {
		if errors.Is(err, store.ErrRevoked) {
			cancel(revokedError(tombstone))
		} else {
			cancel(ErrUnauthenticated)
		}
	})
	stop := context.AfterFunc(watched, remove)
	m.watch.Look(context.WithoutCancel(ctx), record.User, record.ID) // it may have ended since it was loaded
	return watched, func() {
		stop()
		remove()
		cancel(nil)
	}
}
