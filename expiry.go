package revoke

import "time"

// expiry returns when a session that is used now expires. Uses within a touch
// interval are not written, so an idle timeout is that much longer.
func (m *Manager) expiry(deadline time.Time) time.Time {
	if idle := m.sm.IdleTimeout; idle > 0 {
		if e := now().Add(idle + m.touchInterval()); e.Before(deadline) {
			return e
		}
	}
	return deadline.Truncate(time.Microsecond)
}

func (m *Manager) touchInterval() time.Duration {
	if idle := m.sm.IdleTimeout; idle > 0 {
		return min(m.TouchInterval, idle/2)
	}
	return m.TouchInterval
}

// now is as precise as the stores are.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
