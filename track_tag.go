package revoke

import (
	"context"
	"encoding/base64"
	"maps"
	"strings"

	"github.com/revoke-sessions/revoke/store"
)

// tagKey is the scs value of an old record that holds its tag.
const tagKey = "revoke.adopted"

// A tag names the session that an old record was adopted as, and the secret of the
// key that it was adopted by.
type tag struct {
	user, id string
	secret   store.Hash
}

func (t tag) String() string {
	return t.user + "." + t.id + "." + base64.RawURLEncoding.EncodeToString(t.secret[:])
}

// parseTag returns the zero tag for a text that is none.
func parseTag(text string) tag {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || !validID(parts[0]) || !validID(parts[1]) {
		return tag{}
	}
	t := tag{user: parts[0], id: parts[1]}
	if n, err := base64.RawURLEncoding.Decode(t.secret[:], []byte(parts[2])); err != nil || n != len(t.secret) {
		return tag{}
	}
	return t
}

// oldID returns the id of the session that an old key is adopted as: the same for
// all requests that adopt it at once.
func oldID(key string) string { return shortHash("revoke: id of an old session\x00" + key) }

// oldSecret returns the hash by which an old key opens its session. It differs from
// that of any token, so nobody makes a token of an old key.
func oldSecret(key string) store.Hash {
	return store.HashSecret("revoke: secret of an old session\x00" + key)
}

// writeTag writes an old record again as it was read, tagged.
func (r *router) writeTag(ctx context.Context, o *old, secret store.Hash) error {
	o.tag = tag{o.user, o.id, secret}
	values := maps.Clone(o.values)
	values[tagKey] = o.tag.String()
	data, err := r.m.encodeForPlainSCS(o.deadline, values)
	if err != nil {
		return errEncoding(err)
	}
	return r.commitVisitor(ctx, o.key, data, r.m.plainExpiry(o.deadline))
}
