package revoke

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/revoke-sessions/revoke/store"
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
	var key [keyLength]byte
	return string(m.appendUserKey(key[:0], userID))
}

// isUserKey reports whether a user key is that of a user.
func (m *Manager) isUserKey(key, userID string) bool {
	var own [keyLength]byte
	return string(m.appendUserKey(own[:0], userID)) == key
}

func (m *Manager) appendUserKey(key []byte, userID string) []byte {
	if m.sm.Cookie.Name == defaultCookie && m.UserIDKey == defaultUserIDKey {
		return appendShortHash(key, userID)
	}
	h := sha512.New512_256()
	for _, part := range []string{m.sm.Cookie.Name, m.UserIDKey, userID} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return base64.RawURLEncoding.AppendEncode(key, h.Sum(nil)[:16])
}

const (
	defaultCookie    = "session" // what scs.New sets
	defaultUserIDKey = "userID"
)

func shortHash(s string) string {
	var hash [keyLength]byte
	return string(appendShortHash(hash[:0], s))
}

func appendShortHash(b []byte, s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.AppendEncode(b, sum[:16])
}

// hashKey is how scs names a token in its store under HashTokenInStore.
func hashKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A chain is the line of tokens of one session whose client keeps its token itself.
// The server offers the next token, and the client accepts it by using it:
//
//	secret n+1 = family, encrypt(seed n, secret n without the family)
//
// To offer writes nothing and gives the same answer to every repeat, so a lost answer
// loses nobody. The first use of secret n+1 ends secret n, in one step of the store.
//
// The seed is random, is the store's alone, and is new with each secret: whoever has
// an old token cannot get at the next one but by asking, and asking does not help once
// the next one was used. The family is random too, and stays. The store has its hash,
// which tells a token of before from a guess: anybody may know a session's id, and must
// not be able to raise an alarm with it.
//
// The next one is offered only when the present one has been in use for the grace. So of
// all tokens from before only the last can still be on its way, and the seed has half of
// its hash, which tells it from the others. Else a thief who accepts a token again and
// again would have every copy of the owner's excused.
//
// A record keeps the seed in Prev, which changes with the secret in the same step and
// with nothing else, and the hash of the family with the client. UsedAt is when the
// secret came into use. So nothing that an application does with its data gets at the
// chain.

// A chainSecret is the secret of one token of a chain: 16 bytes of the family, and 16
// of its own.
type chainSecret [32]byte

const (
	familyLength = 16
	seedLength   = 16 // of what is random in it
)

// strict has one spelling for each secret.
var strict = base64.RawURLEncoding.Strict()

func newChainSecret() (c chainSecret) {
	rand.Read(c[:]) // never fails: it ends the program instead
	return c
}

// newSeed returns the seed of the secret that comes after another, or after none. Half of
// it is random, and that is as much as a secret has.
func newSeed(before store.Hash) (seed store.Hash) {
	rand.Read(seed[:seedLength])
	copy(seed[seedLength:], before[:])
	return seed
}

// follows reports whether a seed is of the secret that comes after that one.
func follows(seed, before store.Hash) bool {
	return subtle.ConstantTimeCompare(seed[seedLength:], before[:len(seed)-seedLength]) == 1
}

func parseChainSecret(text string) (c chainSecret, ok bool) {
	if len(text) != secretLength {
		return c, false
	}
	n, err := strict.Decode(c[:], []byte(text))
	return c, err == nil && n == len(c)
}

func (c chainSecret) String() string { return strict.EncodeToString(c[:]) }

// hash is by another function than that of the secrets in cookies. So no cookie's value
// is good for a token, nor a token for a cookie's value.
func (c chainSecret) hash() store.Hash {
	return sha256.Sum256(append([]byte("revoke: secret of a token\x00"), c[:]...))
}

// family is what a client is stored with.
func (c chainSecret) family() string {
	return shortHash("revoke: family of tokens\x00" + string(c[:familyLength]))
}

func (c chainSecret) isOf(family string) bool {
	return subtle.ConstantTimeCompare([]byte(family), []byte(c.family())) == 1
}

// next and previous are each other's inverse. A seed is the key for one block only, so
// the bare cipher is enough.
func (c chainSecret) next(seed store.Hash) chainSecret {
	block, _ := aes.NewCipher(seed[:]) // it is of the right length
	block.Encrypt(c[familyLength:], c[familyLength:])
	return c
}

func (c chainSecret) previous(seed store.Hash) chainSecret {
	block, _ := aes.NewCipher(seed[:])
	block.Decrypt(c[familyLength:], c[familyLength:])
	return c
}

// acceptTries bounds the steps in which a token is accepted: each but the last was
// overtaken by a later token of the same session.
const acceptTries = 4

// accept returns the session that a token of Issue opens. If the token is the one that
// was offered last, it takes the place of the one before. A token that was the session's
// before opens nothing: the error is ErrStale, with the session, while requests with it may
// have been under way, and after that the use of it ends the session. Revoked or not there,
// a session comes as from find.
func (s *request) accept(ctx context.Context, t token, c chainSecret) (store.Record, error) {
	presented := c.hash()
	for range acceptTries {
		record, err := s.m.sessions.Find(ctx, t.user, t.id)
		switch {
		case errors.Is(err, store.ErrTampered):
			return store.Record{User: t.user, ID: t.id}, err
		case err != nil && !errors.Is(err, store.ErrRevoked):
			return store.Record{}, err
		case record.Secret.Equal(presented):
			return record, err
		case err != nil || !c.isOf(decodeClient(record.Client).Family):
			return store.Record{}, store.ErrNotFound
		case !record.Secret.Equal(c.previous(record.Prev).hash()):
			return s.reused(ctx, record, presented)
		}
		was, deadline := record.Secret, record.Deadline
		record.Secret, record.Prev = presented, newSeed(was)
		record.RenewedAt = now()
		record.UsedAt = record.RenewedAt
		record.Deadline = time.Time{} // the one that is stored stays
		err = s.m.sessions.Update(context.WithoutCancel(ctx), record, was)
		record.Deadline = deadline
		if errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrRevoked) {
			continue // another request was first: look again
		}
		if err == nil {
			s.emit(ctx, Event{Kind: Renewed, SessionID: record.ID, ActorID: record.ID, Token: true})
		}
		return record, err
	}
	return store.Record{}, errAccept
}

var errAccept = errors.New("revoke: open token: later tokens of its session are used all the time")

// reused decides what becomes of a session of which a token from before was presented.
// Somebody has kept a copy: the client, or a thief (RFC 9700, section 4.14.2).
func (s *request) reused(ctx context.Context, record store.Record, presented store.Hash) (store.Record, error) {
	if follows(record.Prev, presented) && s.m.isYoung(record) {
		return record, store.ErrStale
	}
	alarm := Event{Kind: TokenReused, UserID: s.m.userOf(record), SessionID: record.ID, Reason: ReasonReused, Token: true}
	if s.m.ReuseGrace < 0 {
		if alarm.Count = s.m.seeNetwork(record.ID, s.network()); alarm.Count > 0 {
			s.emit(ctx, alarm)
		}
		return record, store.ErrStale
	}
	_, err := s.m.sessions.Revoke(context.WithoutCancel(ctx), record.User, record.ID, store.Revocation{At: now(), Reason: ReasonReused})
	switch {
	case err == nil:
		s.emit(ctx, alarm)
	case errors.Is(err, ErrNotReplicated):
		s.emit(ctx, alarm)
		s.storeFailed(failed("end session of a token used again", err))
	case ignoreEnded(err) != nil:
		return store.Record{}, failed("end session of a token used again", err)
	}
	return store.Record{}, store.ErrNotFound
}

// isYoung reports whether a session's token has come into use a moment ago, so that the
// one before may still be on its way.
func (m *Manager) isYoung(record store.Record) bool {
	return time.Since(record.UsedAt) < cmp.Or(m.ReuseGrace, grace)
}

// userOf returns whom the data of a session names, if that can be read.
func (m *Manager) userOf(record store.Record) string {
	_, values, err := m.sm.Codec.Decode(record.Data)
	if err != nil {
		return ""
	}
	return m.idOf(values)
}
