// Package accesstoken gives the sessions of revoke short-lived access tokens: JSON Web
// Tokens (RFC 9068) that end when their session ends.
//
// Where the sessions are, [New] makes the tokens:
//
//	sessions := revoke.New(sm, st)
//	tokens, err := accesstoken.New(sessions, accesstoken.Config{
//		Issuer: "https://id.example", Audience: "https://api.example", Keys: []crypto.Signer{key},
//	})
//	sessions.Authenticate = tokens.Authenticate
//	mux.Handle("POST /token", tokens.Handler())
//	mux.Handle("GET /jwks", tokens.JWKS())
//
// A service elsewhere that reaches the same store verifies them:
//
//	live := revoke.LiveIn(st)
//	v := accesstoken.NewVerifier("https://id.example", "https://api.example", "https://id.example/jwks", live)
//	http.ListenAndServe(":5000", v.Middleware(service))
//
// A token says which session it was made from, in its claim sid. The verifier asks the
// store about that session each time, so a token is no use once a revocation of its
// session was answered.
package accesstoken

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"

	"github.com/revoke-sessions/revoke"
)

// A Config says what access tokens are like.
type Config struct {
	// Issuer names the one who makes the tokens, by a URL. It is required.
	Issuer string

	// Audience names the services that take the tokens, by a URL. It is required. A
	// service that takes tokens of another audience needs Tokens of its own, which may
	// have the same keys.
	Audience string

	// ClientID is the claim client_id, which RFC 9068 requires. If empty, it is Audience.
	ClientID string

	// Lifetime is how long a token lasts, at most as long as its session. Zero stands
	// for 5 minutes. Only an exchange at the token endpoint counts as use of the
	// session for [scs.SessionManager.IdleTimeout], so Lifetime must be
	// shorter than that.
	Lifetime time.Duration

	// Keys sign and verify: the first signs, and all verify. A key is for one algorithm:
	// Ed25519 for EdDSA, which is the one to choose, ECDSA on P-256 for ES256, RSA of
	// 2048 bits or more for RS256, which takes fifty times as long to sign. The private
	// key may be in another device.
	//
	// To replace a key, deploy three times: with (old, new), with (new, old), and with
	// (new) when the last token of the old one has expired. Wait [KeysLast] after the
	// first, so that all verifiers know the new one.
	Keys []crypto.Signer
}

// Tokens makes the access tokens of a manager's sessions. Its methods are safe for
// concurrent use.
type Tokens struct {
	sessions *revoke.Manager
	config   Config
	signer   jose.Signer
	keys     *keySet
	jwks     []byte
}

// New returns Tokens for sessions.
func New(sessions *revoke.Manager, c Config) (*Tokens, error) {
	switch {
	case c.Issuer == "" || c.Audience == "" || len(c.Keys) == 0:
		return nil, errors.New("accesstoken: Issuer, Audience and Keys are required")
	case c.Lifetime < 0:
		return nil, errors.New("accesstoken: Lifetime is negative")
	}
	c.ClientID = cmp.Or(c.ClientID, c.Audience)
	c.Lifetime = cmp.Or(c.Lifetime, 5*time.Minute)

	var public []publicKey
	for _, k := range c.Keys {
		p, err := newPublicKey(k.Public())
		if err != nil {
			return nil, fmt.Errorf("accesstoken: %w", err)
		}
		public = append(public, p)
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: public[0].algorithm,
		Key:       jose.JSONWebKey{Key: cryptosigner.Opaque(c.Keys[0]), KeyID: public[0].id},
	}, new(jose.SignerOptions).WithType(typeName))
	if err != nil {
		return nil, fmt.Errorf("accesstoken: %w", err)
	}
	t := &Tokens{sessions: sessions, config: c, signer: signer, keys: newKeySet(public)}
	t.jwks, err = marshalJWKS(public)
	return t, err
}

// Mint returns an access token of the request's session, and when it expires. With it a
// backend calls services for the page that it serves. If the request has no session, the
// error is the one of [revoke.Manager.Err]; if its user ID is not UTF-8, it is
// [revoke.ErrMisconfigured].
func (t *Tokens) Mint(ctx context.Context) (token string, expires time.Time, err error) {
	s, ok := t.sessions.Current(ctx)
	if !ok {
		return "", time.Time{}, t.sessions.Err(ctx)
	}
	return t.mint(s)
}

// errNotText is the error for a user ID of arbitrary bytes: JSON would make one of several.
var errNotText = fmt.Errorf("accesstoken: mint: %w: the user ID is not UTF-8", revoke.ErrMisconfigured)

func (t *Tokens) mint(s revoke.Session) (string, time.Time, error) {
	if !utf8.ValidString(s.UserID) {
		return "", time.Time{}, errNotText
	}
	now := time.Now()
	expires := now.Add(t.config.Lifetime)
	if s.ExpiresAt.Before(expires) {
		expires = s.ExpiresAt
	}
	expires = expires.Truncate(time.Second)
	payload, err := json.Marshal(Claims{
		Issuer: t.config.Issuer, Subject: s.UserID, SID: t.sessions.SID(s), Audience: t.config.Audience,
		ClientID: t.config.ClientID, ID: rand.Text(), IssuedAt: now.Unix(), ExpiresAt: expires.Unix(),
	})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("accesstoken: mint: %w", err)
	}
	jws, err := t.signer.Sign(payload)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("accesstoken: mint: %w", err)
	}
	token, err := jws.CompactSerialize()
	return token, expires, err
}

// Authenticate is for [revoke.Manager.Authenticate], which asks itself whether the
// session is live.
func (t *Tokens) Authenticate(r *http.Request) (userID, sid string, err error) {
	token, _ := bearer(r.Header)
	c, err := t.Verifier().verify(r.Context(), token)
	if err != nil {
		return "", "", err
	}
	return c.Subject, c.SID, nil
}

// Verifier returns a verifier for services in the same process.
func (t *Tokens) Verifier() *Verifier {
	return &Verifier{issuer: t.config.Issuer, audience: t.config.Audience, keys: t.keys, live: t.sessions.Live}
}
