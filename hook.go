package revoke

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/revoke-sessions/revoke/internal/queue"
)

// maxPending bounds the events that wait for OnEvent: so many alarms, and so many
// others.
const maxPending = 1024

// newHook returns the queue from which OnEvent is called.
func newHook(m *Manager) *queue.Queue[Event] {
	return &queue.Queue[Event]{
		Limit:   maxPending,
		Deliver: func(e Event) { m.OnEvent(e) },
		Failed: func(e Event, reason any) {
			if reason == nil {
				reason = "runtime.Goexit"
			}
			m.logger().Error("revoke: OnEvent panicked", slog.String("event.name", "session."+string(e.Kind)), slog.String("panic", clean(fmt.Sprint(reason))))
		},
		Dropped: func(lost int) {
			m.logger().Warn("revoke: OnEvent was too slow, and missed events", slog.Int("count", lost))
		},
	}
}

// FlushEvents waits until [Manager.OnEvent] has returned from every event that
// was raised before. Call it when the server has shut down, so that no event is
// lost. If ctx is done first, it returns the error of ctx. It must not be called
// from OnEvent.
func (m *Manager) FlushEvents(ctx context.Context) error { return m.hook.Flush(ctx) }
