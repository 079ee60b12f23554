package revoke

// ParseToken returns the parts of a cookie that has the shape of a token.
func ParseToken(cookie string) (user, id, secret string, ok bool) {
	t, ok := parseToken(cookie)
	return t.user, t.id, t.secret, ok
}

var ValidID = validID

// LimiterKeys returns how many keys a Limiter of NewLimiter remembers.
func LimiterKeys(l Limiter) int { return l.(*memoryLimiter).buckets.Len() }

// PatternKeys returns how many keys the patterns remember.
func PatternKeys(m *Manager) int { return m.patterns.windows.Len() }
