package memcachestore

import (
	"bytes"
	"slices"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// An account is all that is kept of one user, but what has expired.
type account struct {
	key        string
	sessions   []store.Record // with their data
	tombstones []store.Record // the oldest revocation first
	onces      []once
	mark       *store.Revocation // that RevokeAll has left
}

// A once is an id that cannot be created again until some time.
type once struct {
	id    string
	until time.Time
}

// index returns where the record of that id is, or -1.
func index(records []store.Record, id string) int {
	return slices.IndexFunc(records, func(r store.Record) bool { return r.ID == id })
}

// live returns the session of that id, or the error that says why there is none.
func (a *account) live(id string) (*store.Record, error) {
	if i := index(a.sessions, id); i >= 0 {
		return &a.sessions[i], nil
	}
	if index(a.tombstones, id) >= 0 {
		return nil, store.ErrRevoked
	}
	return nil, store.ErrNotFound
}

// mayAct reports whether the session that acts is live, or none acts.
func (a *account) mayAct(by string) bool {
	return by == "" || index(a.sessions, by) >= 0
}

// mayCreate returns what stands in the way of a new session, or nil.
func (a *account) mayCreate(r store.Record) error {
	switch _, err := a.live(r.ID); err {
	case nil:
		return store.ErrExists
	case store.ErrRevoked:
		return store.ErrRevoked
	}
	if slices.ContainsFunc(a.onces, func(o once) bool { return o.id == r.ID }) {
		return store.ErrRevoked
	}
	// A mark has lost its nanoseconds, so those of the session do not count either.
	if a.mark != nil && (!r.Once.IsZero() || r.CreatedAt.UnixMicro() <= a.mark.At.UnixMicro()) {
		return &store.MarkedError{Mark: *a.mark}
	}
	return nil
}

// leaveMark leaves a mark, or moves forward the one that is there.
func (a *account) leaveMark(why store.Revocation) {
	if last := a.mark; last != nil {
		until := why.Until
		if last.At.After(why.At) {
			why = *last
		}
		if why.Until = last.Until; until.After(why.Until) {
			why.Until = until
		}
	}
	a.mark = &why
}

// bury turns the sessions of these ids into tombstones. It returns what they were, as
// a list has them.
func (a *account) bury(ids []string, why store.Revocation) []store.Record {
	var were []store.Record
	for _, id := range ids {
		i := index(a.sessions, id)
		r := a.sessions[i]
		a.sessions = slices.Delete(a.sessions, i, i+1)
		were = append(were, listed(r))
		a.tombstones = append(a.tombstones, tombstone(r, why))
	}
	slices.SortStableFunc(a.tombstones, func(a, b store.Record) int { return a.Revoked.At.Compare(b.Revoked.At) })
	a.tombstones = slices.Delete(a.tombstones, 0, max(0, len(a.tombstones)-store.MaxTombstones))
	return were
}

// idsBut returns the ids of the sessions but one.
func (a *account) idsBut(id string) []string {
	var ids []string
	for _, r := range a.sessions {
		if r.ID != id {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// tombstone returns what stays of r when it is revoked.
func tombstone(r store.Record, why store.Revocation) store.Record {
	why.Until = time.Time{}
	t := store.Record{
		User: r.User, ID: r.ID, Secret: r.Secret, CreatedAt: r.CreatedAt,
		ExpiresAt: earlier(r.ExpiresAt, why.At.Add(store.TombstoneLifetime)), Revoked: &why,
	}
	if r.UsedAt.IsZero() {
		t.Prev = r.Prev
	}
	return t
}

// listed returns r without its data. It shares no bytes with the value that it was
// read from, which would stay in memory as long as r.
func listed(r store.Record) store.Record {
	r.Client, r.Data = bytes.Clone(r.Client), nil
	return r
}

// dated returns why with its times, if those were left to the store.
func dated(why store.Revocation, now time.Time) store.Revocation {
	if why.At.IsZero() {
		why.At = now
	}
	if why.Until.IsZero() {
		why.Until = why.At.Add(store.TombstoneLifetime)
	}
	return why
}

// bounded returns when a session expires, which is by its deadline.
func bounded(expires, deadline time.Time) time.Time {
	if deadline.IsZero() {
		return expires
	}
	return earlier(expires, deadline)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
