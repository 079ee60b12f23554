package revoke

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
)

// The lengths, in characters of base64url, of a token's parts.
const (
	keyLength    = 22 // 16 bytes: user key, session id
	secretLength = 43 // 32 bytes: what scs generates
	tokenLength  = keyLength + 1 + keyLength + 1 + secretLength
)

// A token is what the cookie of a signed-in session holds. It names its user
// and its session, so that all of a user's sessions live together under one key.
type token struct {
	user   string // the user key: see userKey
	id     string // 16 random bytes, or a hash if the session was adopted: the public id
	secret string // the token that scs generated; in the cookie only
}

func (t token) String() string { return t.user + "." + t.id + "." + t.secret }

// parseToken reports false for anything that is not of a token's exact shape;
// such a cookie belongs to a visitor, if to anyone.
func parseToken(s string) (token, bool) {
	if len(s) != tokenLength || s[keyLength] != '.' || s[2*keyLength+1] != '.' {
		return token{}, false
	}
	t := token{s[:keyLength], s[keyLength+1 : 2*keyLength+1], s[2*keyLength+2:]}
	return t, isBase64URL(t.user) && isBase64URL(t.id) && isBase64URL(t.secret)
}

// noID has the shape of an id, and is nobody's.
const noID = "AAAAAAAAAAAAAAAAAAAAAA"

func validID(id string) bool { return len(id) == keyLength && isBase64URL(id) }

func isBase64URL(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// userKey is the name under which a store keeps the sessions of a user. Managers
// over one store are told apart by what they have anyway: users are another
// manager's if its cookie or its UserIDKey has another name. For the names that scs and
// New give it is the hash of the user ID alone; for any others it is a hash of all
// three, by another function, so that no user ID gives the key of another manager's
// user.
func (m *Manager) userKey(userID string) string {
	if m.sm.Cookie.Name == defaultCookie && m.UserIDKey == defaultUserIDKey {
		return shortHash(userID)
	}
	h := sha512.New512_256()
	for _, part := range []string{m.sm.Cookie.Name, m.UserIDKey, userID} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

const (
	defaultCookie    = "session" // what scs.New sets
	defaultUserIDKey = "userID"
)

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// hashKey is how scs names a token in its store under HashTokenInStore.
func hashKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
