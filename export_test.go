package revoke

// LimiterKeys returns how many keys a Limiter of NewLimiter remembers.
func LimiterKeys(l Limiter) int {
	buckets := &l.(*memoryLimiter).buckets
	return len(buckets.young) + len(buckets.old)
}

// PatternKeys returns how many keys the patterns remember.
func PatternKeys(m *Manager) int {
	return len(m.patterns.windows.young) + len(m.patterns.windows.old)
}
