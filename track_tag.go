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

// A tag names the session that an old record was adopted as, and the hash of the
// secret by which the record opens it. Both come from the key that the record had
// then, and stay: a renewal on a node of plain scs copies the tag, and the session
// is the same under the new key.
type tag struct {
	user, id string
	secret   store.Hash
}

// newTag returns the tag for a record that has none: the same for all requests that
// adopt it at once. Its secret is not the hash of any token, so nobody makes a token
// of an old key.
func newTag(user, key string) tag {
	return tag{user, shortHash("revoke: id of an old session\x00" + key), store.HashSecret("revoke: secret of an old session\x00" + key)}
}

func (t tag) String() string {
	return t.user + "." + t.id + "." + base64.RawURLEncoding.EncodeToString(t.secret[:])
}

func parseTag(text string) (t tag, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || !validID(parts[0]) || !validID(parts[1]) || len(parts[2]) != secretLength {
		return tag{}, false
	}
	t.user, t.id = parts[0], parts[1]
	_, err := base64.RawURLEncoding.Decode(t.secret[:], []byte(parts[2]))
	return t, err == nil
}

// writeTag writes an old record again as it was read, tagged.
func (r *router) writeTag(ctx context.Context, o *old) error {
	o.isTagged = true
	values := maps.Clone(o.values)
	values[tagKey] = o.tag.String()
	data, err := r.m.encodeForPlainSCS(o.deadline, values)
	if err != nil {
		return errEncoding(err)
	}
	return r.commitVisitor(ctx, o.key, data, r.m.plainExpiry(o.deadline))
}
