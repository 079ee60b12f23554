package revoke

import (
	"fmt"
	"log/slog"
	"sync"
)

// maxPending bounds the events that wait for a hook that is slow.
const maxPending = 1024

// A hook calls OnEvent in a goroutine of its own, one event after the other, so
// that a hook that blocks or panics harms no request. The goroutine ends when
// no event is left. Events beyond maxPending are dropped, and their number is
// logged; the audit log has them all.
type hook struct {
	mu      sync.Mutex
	pending []Event
	dropped int
	running bool
}

func (h *hook) send(m *Manager, e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pending) == maxPending {
		h.dropped++
		return
	}
	h.pending = append(h.pending, e)
	if !h.running {
		h.running = true
		go h.run(m)
	}
}

func (h *hook) run(m *Manager) {
	for {
		h.mu.Lock()
		events, dropped := h.pending, h.dropped
		h.pending, h.dropped = nil, 0
		h.running = len(events) > 0
		h.mu.Unlock()
		if dropped > 0 {
			m.logger().Warn("revoke: OnEvent was too slow, and missed events", slog.Int("count", dropped))
		}
		if len(events) == 0 {
			return
		}
		for _, e := range events {
			h.call(m, e)
		}
	}
}

func (h *hook) call(m *Manager, e Event) {
	defer func() {
		if v := recover(); v != nil {
			m.logger().Error("revoke: OnEvent panicked", slog.String("event.name", "session."+string(e.Kind)), slog.String("panic", clean(fmt.Sprint(v))))
		}
	}()
	m.OnEvent(e)
}
