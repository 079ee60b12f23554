package sqlstore

import (
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// The methods that concern several sessions of a user, as SQLite has them. They do
// what the functions in schema/postgres.sql do.

var (
	standsStatement = newStatement(`select revoked is not null from revoke_sessions
		where usr = $1 and id = $2 and expires > {now} and era + 0 = (select era from revoke_state)`)
	onceStatement = newStatement(`select 1 from revoke_onces where usr = $1 and id = $2 and until > {now}`)
	markStatement = newStatement(`select mark_at, mark_until, mark_reason, mark_actor from revoke_users
		where usr = $1 and mark_until > {now}`)
	insertStatement = newStatement(`insert or replace into revoke_sessions
		(usr, id, secret, prev, renewed, used, created, seen, proved, expires, deadline, client, data, era)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, (select era from revoke_state))`)
	setOnceStatement = newStatement(`insert or replace into revoke_onces (usr, id, until) values ($1, $2, $3)`)
	setMarkStatement = newStatement(`insert or replace into revoke_users (usr, mark_at, mark_until, mark_reason, mark_actor)
		values ($1, $2, $3, $4, $5)`)
	countStatement  = newStatement(`select count(*) from revoke_sessions where usr = $1 and {live}`)
	beyondStatement = newStatement(`select ` + columns + ` from revoke_sessions where usr = $1 and id <> $2 and {live}
		order by seen is null desc, seen desc, id limit -1 offset $3`)
	liveStatement   = newStatement(`select ` + columns + ` from revoke_sessions where usr = $1 and id = $2 and {live}`)
	othersStatement = newStatement(`select ` + columns + ` from revoke_sessions where usr = $1 and id <> $2 and {live}`)
	buryStatement   = newStatement(`update revoke_sessions set revoked = $3, reason = $4, actor = $5,
		expires = {least}(expires, $3 + 86400000000), prev = case when used is null then prev end,
		renewed = null, used = null, seen = null, proved = null, deadline = null, client = null, data = null
		where usr = $1 and id = $2`)
	forgetStatement = newStatement(`delete from revoke_sessions where usr = $1 and id in (
		select id from revoke_sessions where usr = $1 and revoked is not null and expires > {now}
		and era + 0 = (select era from revoke_state) order by revoked desc, id limit -1 offset $2)`)
)

func (t *transaction) create(r store.Record, limit store.Limit) ([]store.Record, error) {
	if err := t.mayCreate(r); err != nil {
		return nil, err
	}
	err := t.exec(insertStatement, []byte(r.User), []byte(r.ID), r.Secret[:], hash(r.Prev), micros(r.RenewedAt), micros(r.UsedAt),
		r.CreatedAt.UnixMicro(), micros(r.SeenAt), micros(r.ProvedAt), expiry(r), micros(r.Deadline), bytes(r.Client), bytes(r.Data))
	if err == nil && r.Once.After(t.now()) {
		err = t.exec(setOnceStatement, []byte(r.User), []byte(r.ID), r.Once.UnixMicro())
	}
	if err != nil || limit.Max <= 0 {
		return nil, err
	}
	var count int
	if _, err := t.any(countStatement, []any{[]byte(r.User)}, &count); err != nil || count <= limit.Max {
		return nil, err
	}
	beyond, err := t.listed(beyondStatement, []byte(r.User), []byte(r.ID), limit.Max-1)
	if err != nil {
		return nil, err
	}
	return beyond, t.bury(beyond, store.Revocation{At: t.now(), Reason: store.Evicted, By: r.ID})
}

// mayCreate returns what stands in the way of a new session.
func (t *transaction) mayCreate(r store.Record) error {
	var revoked bool
	name := []any{[]byte(r.User), []byte(r.ID)}
	switch found, err := t.any(standsStatement, name, &revoked); {
	case err != nil:
		return err
	case found && revoked:
		return store.ErrRevoked
	case found:
		return store.ErrExists
	}
	var one int
	if found, err := t.any(onceStatement, name, &one); err != nil {
		return err
	} else if found {
		return store.ErrRevoked
	}
	mark, err := t.mark()
	if err != nil {
		return err
	}
	if mark != nil && (!r.Once.IsZero() || r.CreatedAt.UnixMicro() <= mark.At.UnixMicro()) {
		return &store.MarkedError{Mark: *mark}
	}
	return nil
}

// mark returns what RevokeAll has left, or nil.
func (t *transaction) mark() (*store.Revocation, error) {
	var at, until int64
	var reason, by []byte
	found, err := t.any(markStatement, []any{[]byte(t.user)}, &at, &until, &reason, &by)
	if err != nil || !found {
		return nil, err
	}
	return &store.Revocation{At: timeOf(&at), Until: timeOf(&until), Reason: string(reason), By: string(by)}, nil
}

func (t *transaction) revoke(id string, why store.Revocation) ([]store.Record, error) {
	if err := t.mayAct(why.By); err != nil {
		return nil, err
	}
	sessions, err := t.listed(liveStatement, []byte(t.user), []byte(id))
	if err == nil && len(sessions) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return sessions, t.bury(sessions, dated(why, t.now()))
}

func (t *transaction) revokeAll(keep string, why store.Revocation) ([]store.Record, error) {
	if err := t.mayAct(why.By); err != nil {
		return nil, err
	}
	why = dated(why, t.now())
	last, err := t.mark()
	if err != nil {
		return nil, err
	}
	mark := why
	if last != nil {
		if last.At.After(why.At) {
			mark = *last
		}
		if mark.Until = why.Until; last.Until.After(why.Until) {
			mark.Until = last.Until
		}
	}
	err = t.exec(setMarkStatement, []byte(t.user), mark.At.UnixMicro(), mark.Until.UnixMicro(), []byte(mark.Reason), []byte(mark.By))
	if err != nil {
		return nil, err
	}
	others, err := t.listed(othersStatement, []byte(t.user), []byte(keep))
	if err != nil {
		return nil, err
	}
	return others, t.bury(others, why)
}

// mayAct returns ErrActorRevoked if a session acts that is not live.
func (t *transaction) mayAct(by string) error {
	if by == "" {
		return nil
	}
	found, err := t.listed(liveStatement, []byte(t.user), []byte(by))
	if err == nil && len(found) == 0 {
		err = store.ErrActorRevoked
	}
	return err
}

// bury turns live sessions into tombstones.
func (t *transaction) bury(sessions []store.Record, why store.Revocation) error {
	if len(sessions) == 0 {
		return nil
	}
	for _, r := range sessions {
		err := t.exec(buryStatement, []byte(r.User), []byte(r.ID), why.At.UnixMicro(), []byte(why.Reason), []byte(why.By))
		if err != nil {
			return err
		}
	}
	return t.exec(forgetStatement, []byte(t.user), store.MaxTombstones)
}

// dated returns why with its times, where those were left to the store.
func dated(why store.Revocation, now time.Time) store.Revocation {
	if why.At.IsZero() {
		why.At = now
	}
	if why.Until.IsZero() {
		why.Until = why.At.Add(store.TombstoneLifetime)
	}
	return why
}
