package storetest

import (
	"bytes"
	"fmt"
	"runtime/debug"

	"github.com/revoke-sessions/revoke/store"
)

// large returns a session of the trial's user with much that can be overwritten.
func (t *trial) large(id string, minutesAgo int) store.Record {
	r := t.seen(id, minutesAgo)
	r.Client = bytes.Repeat([]byte(id), 100_000/len(id))
	r.Data = bytes.Repeat([]byte("data of "+id), 100_000/len("data of "+id))
	return r
}

// got is what a method has returned, and what it should stay.
type got struct {
	call string
	r    store.Record
	want store.Record
}

// keep calls every method that returns records, and returns what the caller keeps. The
// session "d" is live then, and nothing else.
func (t *trial) keep() (kept []got) {
	t.Helper()
	a, b, c := t.large("a", 3), t.large("b", 2), t.large("c", 1)
	t.create(a, b, c)
	add := func(call string, err error, records ...store.Record) {
		t.Helper()
		t.wantError(call, err, nil)
		if len(records) == 0 {
			t.Fatalf("%s returned no session", call)
		}
		for _, r := range records {
			want := clone(r)
			kept = append(kept, got{call, r, want})
		}
	}
	found, err := t.Find(t.ctx, t.user, "a")
	add("Find", err, found)
	list, err := t.List(t.ctx, t.user)
	add("List", err, list...)
	if !lacksAll(t.ctx, t.Store) {
		add("All", nil, t.all(t.user)...)
	}
	evicted, err := t.Create(t.ctx, t.large("d", 0), store.Limit{Max: 3})
	add("Create", err, evicted...)
	revoked, err := t.Revoke(t.ctx, t.user, "b", store.Revocation{})
	add("Revoke", err, revoked)
	ended, err := t.RevokeAll(t.ctx, t.user, "d", store.Revocation{})
	add("RevokeAll", err, ended...)
	return kept
}

// clone returns r without what it shares with anybody.
func clone(r store.Record) store.Record {
	r.Client, r.Data = bytes.Clone(r.Client), bytes.Clone(r.Data)
	if r.Revoked != nil {
		why := *r.Revoked
		r.Revoked = &why
	}
	return r
}

// readable fails the case if the slices that it reads or changes meanwhile are of
// memory that is not the program's any more, or not to be written.
func (t *trial) readable(do func()) {
	t.Helper()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		t.Helper()
		if fault := recover(); fault != nil {
			t.Fatalf("the slices that a method has returned cannot be read and changed later: %v", fault)
		}
	}()
	do()
}

var callerKeepsCases = []testCase{
	{
		name: "may keep what it got",
		rule: "What a store returns belongs to the caller: it stays as it is, whatever is written later, and the caller may change it.",
		run: func(t *trial) {
			kept := t.keep()
			d := t.large("d", 0)
			for i := range 50 {
				r := t.large(fmt.Sprint("other ", i), 0)
				r.User = newUser()
				if i%2 == 0 {
					t.create(r)
					continue
				}
				d.Data = r.Data
				t.update(d, d.Secret)
			}
			t.readable(func() {
				for _, k := range kept {
					t.wantSame("what "+k.call+" returned, after 50 other writes,", k.r, k.want)
					spoilAll(k.r)
				}
			})
			t.wantLive(d)
			t.wantList(d)
			t.readable(func() {
				for _, k := range kept {
					spoil(k.want.Client)
					if spoil(k.want.Data); !bytes.Equal(k.r.Client, k.want.Client) || !bytes.Equal(k.r.Data, k.want.Data) {
						t.Fatalf("what %s returned has changed once more", k.call)
					}
				}
			})
		},
	},
}
