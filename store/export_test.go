package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gomodule/redigo/redis"
)

// Kept returns how many users, and how many sessions, tombstones, marks and ids of theirs,
// take up memory, expired ones included. It panics if the store's parts do not
// agree with each other.
func (m *Memory) Kept() (users, entries int) {
	must := func(ok bool, format string, args ...any) {
		if !ok {
			panic(fmt.Sprintf("memory: "+format, args...))
		}
	}
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.RLock()
		defer s.mu.RUnlock()
		queued := 0
		for key, u := range s.users {
			users++
			must(!u.empty() && key == u.key && m.shard(key) == s, "user %q is empty or misplaced", key)
			must(slices.IsSortedFunc(u.tombstones(), func(a, b *entry) int { return a.revoked().At.Compare(b.revoked().At) }),
				"tombstones of %q are out of order", key)
			tombstones := 0
			var others []*entry
			if p := u.past; p != nil {
				if p.mark != nil {
					others = append(others, p.mark)
				}
				others = slices.AppendSeq(others, maps.Values(p.onces))
				must(len(others)+len(p.tombstones) > 0, "the past of %q is empty", key)
			}
			for _, e := range others {
				queued++
				must(e.user == u && s.queue.slot(e.place).entry == e, "entry %q is not at its place in the queue", e.id)
				must(s.queue.slot(e.place).at <= e.times[expires], "entry %q is queued late", e.id)
			}
			for e := range u.all() {
				queued++
				must(e.user == u && u.find(e.id) == e, "entry %q is misplaced", e.id)
				must(s.queue.slot(e.place).entry == e, "entry %q is not at its place in the queue", e.id)
				must(s.queue.slot(e.place).at <= e.times[expires], "entry %q is queued late", e.id)
				if e.revoked() != nil {
					tombstones++
					must(slices.Contains(u.tombstones(), e), "tombstone %q is not counted", e.id)
				}
			}
			must(tombstones == len(u.tombstones()) && tombstones <= MaxTombstones,
				"%d tombstones, and %d counted", tombstones, len(u.tombstones()))
		}
		must(queued == s.queue.n, "%d entries, and %d queued", queued, s.queue.n)
		for i := 1; i < s.queue.n; i++ {
			must(cmp.Compare(s.queue.slot((i-1)/2).at, s.queue.slot(i).at) <= 0, "the queue is out of order at %d", i)
		}
		chunks := len(s.queue.chunks)
		must(chunks*chunkSize >= s.queue.n && chunks <= s.queue.n/chunkSize+2, "%d chunks for %d entries", chunks, s.queue.n)
		entries += queued
	}
	return users, entries
}

// Confirm waits for the replicas of each node, as RevokeEveryone does in the end.
func Confirm(ctx context.Context, r *Redis) error {
	return r.onEachPrimary(ctx, func(w *walk, conn redis.Conn) error { return r.confirm(w, conn) })
}

var HasSlots = hasSlots
