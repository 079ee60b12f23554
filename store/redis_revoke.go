package store

import (
	"context"
	"time"
)

// Revoke implements [Store].
func (r *Redis) Revoke(ctx context.Context, user, id string, why Revocation) (Record, error) {
	why = why.dated(time.Now())
	args := append([]any{id}, tombstoneArgs(why)...)
	args = append(args, why.By, r.mustKnow())
	revoked, err := r.eval(ctx, "revoke session", user, command{script: revokeScript, args: args, replicas: r.Replicas})
	switch {
	case len(revoked) == 1:
		return revoked[0], err
	case err == nil:
		err = failed("revoke session", errUnexpected)
	}
	return Record{}, err
}

// RevokeAll implements [Store].
func (r *Redis) RevokeAll(ctx context.Context, user, keep string, why Revocation) ([]Record, error) {
	why = why.dated(time.Now())
	args := append([]any{keep}, tombstoneArgs(why)...)
	args = append(args, why.By, timeText(why.Until), r.mustKnow())
	return r.eval(ctx, "revoke all sessions", user, command{script: revokeAllScript, args: args, replicas: r.Replicas})
}

// mustKnow returns the argument that says whether a refusal is to reach replicas.
func (r *Redis) mustKnow() string {
	if r.Replicas > 0 {
		return "1"
	}
	return ""
}
