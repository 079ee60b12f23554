package sqlstore

import "context"

// What has expired, or has belonged to an era that is over, is invisible at once.
// Its row goes when its hour has passed: a few with each sign-in, and the rest when
// Prune is called.

const (
	retired = 4    // rows that a sign-in deletes; it adds one, so that they do not pile up
	pruned  = 1000 // rows that Prune deletes at a time, so that nobody waits for it long
)

var (
	retireStatement = newStatement(`delete from revoke_sessions where rowid in (select rowid from revoke_sessions
		where (era, due) < ((select era from revoke_state), {hour}) order by era, due limit $1)`)

	pruneStatements = map[Dialect][]statement{
		Postgres: {
			newStatement(`delete from revoke_sessions where ctid = any(array(select ctid from revoke_sessions
				where era < (select era from revoke_state) order by era limit $1 for update skip locked))`),
			newStatement(`delete from revoke_sessions where ctid = any(array(select ctid from revoke_sessions
				where era = (select era from revoke_state) and due < {hour} order by due limit $1 for update skip locked))`),
			newStatement(`delete from revoke_users where ctid = any(array(select ctid from revoke_users where mark_until / 3600000000 < {hour} limit $1 for update skip locked))`),
			newStatement(`delete from revoke_onces where ctid = any(array(select ctid from revoke_onces where until / 3600000000 < {hour} limit $1 for update skip locked))`),
		},
		SQLite: {
			retireStatement,
			newStatement(`delete from revoke_users where rowid in (select rowid from revoke_users where mark_until < {now} limit $1)`),
			newStatement(`delete from revoke_onces where rowid in (select rowid from revoke_onces where until < {now} limit $1)`),
		},
		MySQL: {
			newStatement(`delete from revoke_sessions where era < (select era from revoke_state) limit $1`),
			newStatement(`delete from revoke_sessions where era = (select era from revoke_state) and due < {hour} limit $1`),
			newStatement(`delete from revoke_users where mark_until < {hour} * 3600000000 limit $1`),
			newStatement(`delete from revoke_onces where until < {hour} * 3600000000 limit $1`),
		},
	}
)

// Prune deletes all that has ended more than an hour ago. Call it every day or so if
// few sign in, or after RevokeEveryone: sign-ins delete a few rows each. It locks a
// thousand rows at a time, and may run on several nodes at once.
func (s *Store) Prune(ctx context.Context) error {
	for _, st := range pruneStatements[s.dialect] {
		for more := true; more; {
			err := s.within(ctx, "prune", func(ctx context.Context) error {
				return s.engine.write(ctx, false, func(ctx context.Context, q querier) error {
					result, err := s.exec(ctx, q, st, pruned)
					if err != nil {
						return err
					}
					n, err := result.RowsAffected()
					more = n == pruned
					return err
				})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
