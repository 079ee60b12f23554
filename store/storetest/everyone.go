package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// revokeEveryone revokes everyone, and returns when it was called.
func (t *trial) revokeEveryone() (called time.Time) {
	t.Helper()
	called = time.Now()
	if err := t.RevokeEveryone(t.ctx); err != nil {
		t.Fatalf("RevokeEveryone: %v", err)
	}
	return called
}

// revokedEveryone returns what the store says.
func (t *trial) revokedEveryone() time.Time {
	t.Helper()
	at, err := t.RevokedEveryone(t.ctx)
	t.wantError("RevokedEveryone", err, nil)
	return at
}

var revokeEveryoneCases = []testCase{
	{
		name: "ends every session",
		rule: "RevokeEveryone ends every session of every user, and leaves no tombstones of them.",
		run: func(t *trial) {
			var records []store.Record
			for range 40 {
				t.user = newUser()
				records = append(records, t.have("a", "b", "c")...)
			}
			t.revokeEveryone()
			t.ended(store.ErrNotFound, records...)
			for _, r := range records {
				t.user = r.User
				t.wantList()
			}
			t.create(records...)
			t.wantLive(records...)
		},
	},
	{
		name: "of many",
		rule: "RevokeEveryone reaches every user, however many there are, and every session of a user.",
		run: func(t *trial) {
			records := t.many(1500)
			for _, r := range records {
				r.User += r.ID
				records = append(records, r)
			}
			t.createAtOnce(records[1500:]...)
			t.revokeEveryone()
			errs := together(10, func(i int) error {
				for n := i; n < len(records); n += 10 {
					if _, err := t.Find(t.ctx, records[n].User, records[n].ID); !errors.Is(err, store.ErrNotFound) {
						return fmt.Errorf("session %d of %d was found, with the error %v", n, len(records), err)
					}
				}
				return nil
			})
			for _, err := range errs {
				t.wantError("Find of a session that has ended", err, nil)
			}
			t.wantList()
		},
	},
	{
		name: "of whatever they have",
		rule: "RevokeEveryone ends every session that is live, whatever else its user has, and whatever has become of it.",
		run: func(t *trial) {
			var live []store.Record
			has := func(r store.Record) {
				t.create(r)
				live = append(live, r)
			}
			with := func(prepare func()) {
				t.user = newUser()
				prepare()
				has(t.record("beside"))
			}
			with(func() { t.have("revoked"); t.revoke("revoked") })
			with(func() { t.markAll("", store.Revocation{}) })
			with(func() { t.limited(t.seen("a", 0), 1, t.have("evicted")...) })
			with(func() { has(pending(t.record("pending"))) })
			with(func() { has(t.deadline("deadline", 2*time.Hour, time.Hour)) })
			with(func() { has(t.once("once")) })
			with(func() { has(ending(t.record("soon"), time.Now().Add(30*time.Second))) })
			with(func() { has(ending(t.record("late"), time.Now().Add(10000*time.Hour))) })
			with(func() {
				r := t.record("bare")
				r.SeenAt, r.ProvedAt, r.Client, r.Data = time.Time{}, time.Time{}, nil, nil
				has(r)
			})
			t.revokeEveryone()
			t.ended(store.ErrNotFound, live...)
		},
	},
	{
		name: "leaves nothing that counts",
		rule: "What RevokeEveryone has ended counts towards no limit.",
		run: func(t *trial) {
			t.have("a", "b")
			t.revokeEveryone()
			c, d := t.seen("c", 2), t.seen("d", 1)
			t.limited(c, 2)
			t.limited(d, 2)
			t.wantList(c, d)
		},
	},
	{
		name: "never moves its time back",
		rule: "Of several calls of RevokeEveryone at once the latest time stays: what RevokedEveryone returns never moves back.",
		run: func(t *trial) {
			var last time.Time
			t.rounds(func() {
				call := func() error { return t.RevokeEveryone(t.ctx) }
				t.meanwhile(call, call, call, func() error {
					at, err := t.RevokedEveryone(t.ctx)
					if err == nil && at.Before(last) {
						err = fmt.Errorf("RevokedEveryone returned %v, and then %v", last, at)
					}
					last = at
					return err
				})
			})
		},
	},
	{
		name: "of nothing",
		rule: "If nobody has a session, RevokeEveryone returns no error.",
		run: func(t *trial) {
			for range 2 {
				t.revokeEveryone()
			}
		},
	},
	{
		name: "is known for good",
		rule: "RevokedEveryone returns the time of the last call of RevokeEveryone, and the zero time if there was none: it changes with that, and with nothing else.",
		run: func(t *trial) {
			before := t.revokedEveryone()
			if !before.IsZero() && before.Year() < 2020 {
				t.Fatalf("RevokedEveryone returned %v, want the zero time if it never was", before)
			}
			time.Sleep(2 * time.Millisecond)
			t.have("a")
			t.markAllBut("", "a")
			if again := t.revokedEveryone(); !again.Equal(before) {
				t.Fatalf("RevokedEveryone returned %v, and then %v", before, again)
			}
			for range 2 {
				called := t.revokeEveryone()
				at := t.revokedEveryone()
				if at.Before(called.Add(-skew)) || at.After(time.Now().Add(skew)) {
					t.Fatalf("RevokedEveryone returned %v after a call at %v", at, called)
				}
				if !at.After(before) {
					t.Fatalf("RevokedEveryone returned %v, and %v after the next call", before, at)
				}
				before = at
				t.have("a")
				t.revoke("a")
				time.Sleep(2 * time.Millisecond)
				if again := t.revokedEveryone(); !again.Equal(at) {
					t.Fatalf("RevokedEveryone returned %v, and then %v", at, again)
				}
			}
		},
	},
	{
		name: "is known first",
		rule: "The first thing that RevokeEveryone does is that RevokedEveryone returns its time: whoever finds a session ended by it is told.",
		run: func(t *trial) {
			for range 10 {
				var records []store.Record
				for i := range 20 {
					r := t.record("a")
					r.User = newUser() + fmt.Sprint(i)
					records = append(records, r)
				}
				t.create(records...)
				time.Sleep(time.Millisecond)
				before := t.revokedEveryone()
				errs := together(1+len(records), func(i int) error {
					if i == 0 {
						linger()
						return t.RevokeEveryone(t.ctx)
					}
					r := records[i-1]
					for {
						_, err := t.Find(t.ctx, r.User, r.ID)
						if errors.Is(err, store.ErrNotFound) {
							break
						}
						if err != nil {
							return err
						}
					}
					at, err := t.RevokedEveryone(t.ctx)
					if err == nil && !at.After(before) {
						err = fmt.Errorf("a session had ended, and RevokedEveryone returned %v as before", at)
					}
					return err
				})
				for _, err := range errs {
					t.wantError("one of the parties", err, nil)
				}
			}
		},
	},
}
