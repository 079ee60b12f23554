package store

import (
	"context"
	"slices"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Create implements [Store].
func (r *Redis) Create(ctx context.Context, rec Record, limit Limit) ([]Record, error) {
	once := ""
	if !rec.Once.IsZero() {
		once = timeText(rec.Once)
	}
	rec.ExpiresAt = rec.expiry()
	args := append([]any{rec.ID}, tombstoneArgs(Revocation{Reason: Evicted, By: rec.ID}.dated(time.Now()))...)
	args = append(args, max(limit.Max, 0), once)
	args = append(args, fieldArgs(rec)...)
	return r.eval(ctx, "create session", rec.User, command{script: createScript, args: args})
}

// Find implements [Store].
func (r *Redis) Find(ctx context.Context, user, id string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	rec, err := r.find(ctx, user, id)
	if err != nil && err != ErrNotFound && err != ErrRevoked {
		err = failed("find session", err)
	}
	return rec, err
}

func (r *Redis) find(ctx context.Context, user, id string) (Record, error) {
	key := r.key(user)
	reply, err := r.do(ctx, key, command{name: "HMGET", args: []any{key, "s:" + id, "d:" + id, "t:" + id}})
	if err != nil {
		return Record{}, err
	}
	fields, err := redis.ByteSlices(reply, nil)
	if err != nil || len(fields) != 3 {
		return Record{}, errUnexpected
	}
	now := time.Now()
	if text := fields[0]; text != nil {
		rec, err := parseSession(user, id, text, fields[1])
		if err != nil {
			return Record{}, err
		}
		if now.Before(rec.ExpiresAt) {
			return rec, nil
		}
	}
	if text := fields[2]; text != nil {
		rec, err := parseTombstone(user, id, text)
		if err != nil {
			return Record{}, err
		}
		if now.Before(rec.ExpiresAt) {
			return rec, ErrRevoked
		}
	}
	return Record{}, ErrNotFound
}

// Update implements [Store].
func (r *Redis) Update(ctx context.Context, rec Record, was Hash) error {
	args := append([]any{rec.ID, string(was[:])}, fieldArgs(rec)...)
	_, err := r.eval(ctx, "update session", rec.User, command{script: updateScript, args: args})
	return err
}

// Touch implements [Store].
func (r *Redis) Touch(ctx context.Context, user, id string, t Touch) error {
	args := []any{id, timeText(t.SeenAt), timeText(t.ExpiresAt), string(t.Secret[:])}
	if t.Client != nil {
		args = append(args, string(t.Client))
	}
	_, err := r.eval(ctx, "touch session", user, command{script: touchScript, args: args})
	return err
}

// List implements [Store]. A command does in half the time what a script would do: a
// count that no hash reaches has it return all at once.
func (r *Redis) List(ctx context.Context, user string) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key := r.key(user)
	reply, err := r.do(ctx, key, command{name: "HSCAN", args: []any{key, 0, "MATCH", "s:*", "COUNT", 1_000_000_000}})
	if err != nil {
		return nil, failed("list sessions", err)
	}
	cursor, fields, err := scanned(reply)
	if err == nil && cursor != "0" {
		err = errUnexpected
	}
	list, err2 := parseSessions(user, fields)
	if err == nil {
		err = err2
	}
	if err != nil {
		return nil, failed("list sessions", err)
	}
	now := time.Now()
	return slices.DeleteFunc(list, func(rec Record) bool { return !now.Before(rec.ExpiresAt) }), nil
}

// scanned reads the answer to a SCAN or a HSCAN.
func scanned(reply any) (cursor string, items [][]byte, err error) {
	parts, ok := reply.([]any)
	if !ok || len(parts) != 2 {
		return "", nil, errUnexpected
	}
	cursor, err = redis.String(parts[0], nil)
	if err != nil {
		return "", nil, errUnexpected
	}
	items, err = redis.ByteSlices(parts[1], nil)
	if err != nil {
		return "", nil, errUnexpected
	}
	return cursor, items, nil
}

// tombstoneArgs returns the arguments that say what a tombstone says.
func tombstoneArgs(why Revocation) []any {
	return []any{timeText(why.At), timeText(why.At.Add(TombstoneLifetime)), whyText(why)}
}

// fieldArgs returns the arguments that are the fields of a session. They are
// copies, because an abandoned call may still be sending them.
func fieldArgs(rec Record) []any {
	if len(rec.Data) == 0 {
		return []any{sessionText(rec)}
	}
	return []any{sessionText(rec), string(rec.Data)}
}
