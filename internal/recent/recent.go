// Package recent remembers what was used last, within a bound.
package recent

import "sync"

// A Map keeps a value for each of the keys that were used last, whatever keys
// arrive. It has two generations: when the young one is full it becomes the old
// one, and the keys of the old one that were not used since are forgotten. It
// is safe for concurrent use.
type Map[V any] struct {
	size  int
	mu    sync.Mutex
	young map[string]*V
	old   map[string]*V
}

// New returns a Map that remembers at least the last size keys, and at most
// twice as many.
func New[V any](size int) *Map[V] {
	return &Map[V]{size: size, young: make(map[string]*V)}
}

// With calls f with the value of the key: a zero value if the key is new or was
// forgotten. No other call of With runs meanwhile, so f must not call it.
func (m *Map[V]) With(key string, f func(*V)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.young[key]
	if v == nil {
		if v = m.old[key]; v == nil {
			v = new(V)
		}
		if len(m.young) >= m.size {
			m.old, m.young = m.young, make(map[string]*V)
		}
		m.young[key] = v
	}
	f(v)
}

// Len returns how many keys are remembered. A key that both generations have
// counts twice.
func (m *Map[V]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.young) + len(m.old)
}
