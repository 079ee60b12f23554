package storetest

import (
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// reopened goes on with a store that was opened anew. The case is left out if that
// store does not have the live session.
func (t *trial) reopened(live store.Record) {
	t.Helper()
	t.Store = t.open()
	if _, err := t.Find(t.ctx, live.User, live.ID); err != nil {
		t.Skip("left out, because what open returns shares no database")
	}
}

var reopenCases = []testCase{
	{
		name: "finds what stands in the way",
		rule: "All that is kept of a user is in the database: a store that is opened anew has the sessions, tombstones and marks, and knows the ids that cannot be created again.",
		run: func(t *trial) {
			live, once := t.have("live", "revoked")[0], t.once("once")
			t.create(once)
			once.ExpiresAt = time.Now().Add(-time.Second)
			t.update(once, once.Secret)
			t.revoke("revoked")
			t.markAll("live", store.Revocation{Reason: "a reason"})

			t.reopened(live)
			t.wantLive(live)
			t.wantList(live)
			t.ended(store.ErrRevoked, t.record("revoked"))
			t.wantOver("the store was opened anew", once)
			t.wantMarked(store.Revocation{Reason: "a reason"}, t.began("late", time.Time{}))
		},
	},
	{
		name: "knows when everyone was revoked",
		rule: "RevokedEveryone is in the database: a store that is opened anew returns the same time.",
		run: func(t *trial) {
			t.revokeEveryone()
			live, want := t.have("live")[0], t.revokedEveryone()
			t.reopened(live)
			if got := t.revokedEveryone(); !got.Equal(want) {
				t.Fatalf("RevokedEveryone returned %v, and %v by a store that was opened anew", want, got)
			}
		},
	},
}
