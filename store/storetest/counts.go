package storetest

import (
	"fmt"
	"math"

	"github.com/revoke-sessions/revoke/store"
)

// These cases are of how a limit counts.
var countCases = []testCase{
	{
		name: "of many",
		rule: "Create counts and evicts all that are beyond the limit, however many there are, and however large the limit is.",
		run: func(t *trial) {
			records := t.many(1200)
			last := t.record("last")
			evicted, err := t.Create(t.ctx, last, store.Limit{Max: 1201})
			t.wantError("Create under a limit of 1201", err, nil)
			t.wantIDs("Create under a limit of 1201", evicted)
			evicted, err = t.Create(t.ctx, t.record("new"), store.Limit{Max: 1})
			t.wantError("Create under a limit of 1", err, nil)
			t.wantListed("Create under a limit of 1", evicted, append(records, last)...)
			list, err := t.List(t.ctx, t.user)
			t.wantError("List", err, nil)
			t.wantIDs("List after an eviction", list, "new")
		},
	},
	{
		name: "of any size",
		rule: "A limit is any int: one that no user reaches evicts nothing.",
		run: func(t *trial) {
			records := t.have("a", "b")
			for _, limit := range []int{1 << 8, 1<<8 + 1, 1 << 16, 1<<16 + 1, math.MaxInt32, math.MaxInt/2 + 2, math.MaxInt} {
				r := t.record(fmt.Sprint(limit))
				t.limited(r, limit)
				records = append(records, r)
			}
			t.wantLive(records...)
		},
	},
	{
		name: "evicts what it has become",
		rule: "Create returns the sessions that it evicts as they were then, not as they were created.",
		run: func(t *trial) {
			r := t.changed("a")
			t.limited(t.seen("b", 0), 1, r)
		},
	},
	{
		name: "counts what is live",
		rule: "A limit counts the sessions that are live, and neither a Create that was refused, nor an update, nor what has ended, in whatever way.",
		run: func(t *trial) {
			for name, change := range map[string]func(){
				"a refused Create": func() {
					_, err := t.Create(t.ctx, t.record("kept"), store.Limit{Max: 3})
					t.wantError("Create of a live session", err, store.ErrExists)
				},
				"updates":   func() { t.update(t.record("kept"), t.record("kept").Secret) },
				"Touch":     func() { t.touch("kept", store.Touch{Client: t.record("kept").Client}) },
				"RevokeAll": func() { t.have("x", "y"); t.markAllBut("kept", "x", "y") },
				"Revoke":    func() { t.have("x", "y"); t.revoke("x", "y") },
			} {
				t.user = newUser()
				t.have("kept")
				change()
				for _, id := range []string{"a", "b"} {
					evicted, err := t.Create(t.ctx, t.record(id), store.Limit{Max: 3})
					t.wantError("Create under a limit", err, nil)
					t.wantIDs("Create under a limit that is not exceeded, after "+name+",", evicted)
				}
			}
		},
	},
}
