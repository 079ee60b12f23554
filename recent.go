package revoke

import "sync"

// A recent keeps what was asked for last under up to twice size keys, whatever
// keys arrive: when the young generation is full it becomes the old one, and
// what was old and not asked for since is forgotten.
type recent[V any] struct {
	size  int
	mu    sync.Mutex
	young map[string]*V
	old   map[string]*V
}

// with calls f with the value under key, a zero one where there is none. No
// other call runs meanwhile.
func (r *recent[V]) with(key string, f func(*V)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.young[key]
	if v == nil {
		if v = r.old[key]; v == nil {
			v = new(V)
		}
		if r.young == nil || len(r.young) >= r.size {
			r.old, r.young = r.young, make(map[string]*V)
		}
		r.young[key] = v
	}
	f(v)
}
