package storetest

import (
	"fmt"

	"github.com/revoke-sessions/revoke/store"
)

// wantActorRevoked checks that a session which is not live can revoke none of
// these, which are all that the user has.
func (t *trial) wantActorRevoked(actor string, records ...store.Record) {
	t.Helper()
	why := store.Revocation{Reason: "not allowed", By: actor}
	targets := []string{"unknown", actor}
	for _, r := range records {
		targets = append(targets, r.ID)
	}
	for _, target := range targets {
		_, err := t.Revoke(t.ctx, t.user, target, why)
		t.wantError(fmt.Sprintf("Revoke of %q by %q", target, actor), err, store.ErrActorRevoked)
	}
	for _, keep := range append(targets, "") {
		_, err := t.RevokeAll(t.ctx, t.user, keep, why)
		t.wantError(fmt.Sprintf("RevokeAll but %q by %q", keep, actor), err, store.ErrActorRevoked)
	}
	t.wantList(records...)
	t.wantLive(records...)
}

var actorCases = []testCase{
	{
		name: "that is live",
		rule: "A live session may revoke the user's sessions, its own included; the tombstones name it.",
		run: func(t *trial) {
			records := t.have("a", "b", "c", "d")
			by := store.Revocation{Reason: "a reason", By: "a"}
			if _, err := t.Revoke(t.ctx, t.user, "b", by); err != nil {
				t.Fatalf("Revoke by a live session: %v", err)
			}
			t.wantRevoked(by, records[1])
			t.revokeAll("a", by, records[2:]...)
			t.wantList(records[0])
			if _, err := t.Revoke(t.ctx, t.user, "a", by); err != nil {
				t.Fatalf("Revoke of a session by itself: %v", err)
			}
			t.wantRevoked(by, records[0])

			records = t.have("e", "f")
			t.revokeAll("", store.Revocation{By: "e"}, records...)
			records = t.have("g", "h")
			t.revokeAll("h", store.Revocation{By: "g"}, records[0])
		},
	},
	{
		name: "that is live, target unknown",
		rule: "If the acting session is live and the target is not, Revoke returns ErrNotFound.",
		run: func(t *trial) {
			t.have("a", "b")
			t.revoke("b")
			for _, target := range []string{"unknown", "b"} {
				_, err := t.Revoke(t.ctx, t.user, target, store.Revocation{By: "a"})
				t.wantError("Revoke by a live session", err, store.ErrNotFound)
			}
		},
	},
	{
		name: "that is unknown",
		rule: "If the acting session is not there, nothing is revoked and the error is ErrActorRevoked, whatever the target.",
		run: func(t *trial) {
			t.wantActorRevoked("stranger")
			t.wantActorRevoked("stranger", t.have("a", "b")...)
		},
	},
	{
		name: "that was revoked",
		rule: "A revoked session revokes nobody: nothing is revoked and the error is ErrActorRevoked, whatever the target.",
		run: func(t *trial) {
			records := t.have("a", "b", "c")
			t.revoke("a")
			t.wantActorRevoked("a", records[1:]...)
			t.wantRevoked(store.Revocation{Reason: "reason of a"}, records[0])
		},
	},
	{
		name: "whose name is like another",
		rule: "An acting session, and one to keep, is named in full and by its very bytes: another that is spelled alike is unknown.",
		run: func(t *trial) {
			records := t.have("actor", "other")
			for _, like := range []string{"Actor", "acto", "actor ", "actor\x00", "*", "act%"} {
				t.wantActorRevoked(like, records...)
			}
			t.revokeAll("Actor", store.Revocation{}, records...)
		},
	},
	{
		name: "of another user",
		rule: "The acting session is one of the same user; another user's session revokes nobody here.",
		run: func(t *trial) {
			t.have("a", "b")
			t.user = newUser()
			t.wantActorRevoked("a", t.have("b", "c")...)
		},
	},
}
