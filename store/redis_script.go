package store

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/gomodule/redigo/redis"
)

// A script is the source of a Lua script and its SHA-1, by which Redis knows it.
type script struct{ source, hash string }

//go:embed lua
var scripts embed.FS

var (
	createScript    = newScript("hash", "sessions", "tombstones", "create")
	updateScript    = newScript("hash", "update")
	touchScript     = newScript("hash", "touch")
	revokeScript    = newScript("hash", "sessions", "tombstones", "revoke")
	revokeAllScript = newScript("hash", "sessions", "tombstones", "revoke_all")
	everyoneScript  = newScript("hash", "everyone")
	writtenScript   = newScript("hash", "written")
)

// newScript joins the files that make up a script.
func newScript(names ...string) *script {
	var source strings.Builder
	for _, name := range names {
		part, err := scripts.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err)
		}
		source.Write(part)
	}
	hash := sha1.Sum([]byte(source.String()))
	return &script{source.String(), hex.EncodeToString(hash[:])}
}

// answers are what scripts answer if they did nothing.
var answers = map[string]error{
	"not found": ErrNotFound,
	"revoked":   ErrRevoked,
	"stale":     ErrStale,
	"exists":    ErrExists,
	"not live":  ErrActorRevoked,
}

// eval runs a script over the user's hash and returns the sessions it answers with.
// With an error that is ErrNotReplicated it returns them too.
func (r *Redis) eval(ctx context.Context, doing, user string, c command) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	reply, err := r.do(ctx, r.key(user), c)
	late := failed(doing, err)
	if err != nil && !errors.Is(err, ErrNotReplicated) {
		return nil, late
	}
	fields, err := redis.ByteSlices(reply, nil)
	if err != nil || len(fields) == 0 {
		return nil, failed(doing, errUnexpected)
	}
	answer, rest := string(fields[0]), fields[1:]
	switch {
	case answers[answer] != nil && len(rest) == 0:
		if late != nil { // what was refused is not certain
			return nil, late
		}
		return nil, answers[answer]
	case answer == "marked" && len(rest) == 1:
		mark, err := parseMark(rest[0])
		if err != nil {
			return nil, failed(doing, err)
		}
		return nil, &MarkedError{Mark: mark}
	case answer != "ok" || len(rest)%2 != 0:
		return nil, failed(doing, errUnexpected)
	}
	list, err := parseSessions(user, rest)
	if err != nil {
		return nil, failed(doing, err)
	}
	return list, late
}
