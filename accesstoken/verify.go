package accesstoken

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json" // is strict about capitals, and refuses a name that comes twice

	"github.com/revoke-sessions/revoke"
)

// ErrInvalid means that the issuer has not made the token for this audience, or that it
// has expired. Its text says what is wrong. It is also [revoke.ErrUnauthenticated].
var ErrInvalid = fmt.Errorf("invalid access token: %w", revoke.ErrUnauthenticated)

func invalid(why string) error { return fmt.Errorf("accesstoken: %s: %w", why, ErrInvalid) }

// A Verifier verifies access tokens and asks whether their sessions are live. Set its
// fields before it is used. Its methods are safe for concurrent use.
type Verifier struct {
	// InsecureSkipLive takes a token until it expires, though its session was revoked.
	//
	// It gives up the promise of revoke: who was signed out goes on for as long as
	// their token lasts, and 30 seconds. If a service cannot reach the store, let it ask
	// [Tokens.Introspection]. If it cannot do that either, give it an audience of its own
	// with a Lifetime of a minute, so that it takes no token of the other services and they take
	// none of its.
	InsecureSkipLive bool

	// Client fetches the keys. Nil stands for [http.DefaultClient].
	Client *http.Client

	issuer, audience string
	keys             keySource
	live             func(ctx context.Context, sid string) error
}

// NewVerifier returns a Verifier for a service that is not in the issuer's process. It
// fetches the keys from jwksURL, where the issuer serves [Tokens.JWKS]. The function live
// says whether a session is live: use [revoke.LiveIn] or [revoke.Manager.Live]. If live is
// nil, the Verifier takes no token, unless InsecureSkipLive is set.
func NewVerifier(issuer, audience, jwksURL string, live func(ctx context.Context, sid string) error) *Verifier {
	v := &Verifier{issuer: issuer, audience: audience, live: live}
	v.keys = &remoteKeys{url: jwksURL, client: func() *http.Client { return v.Client }}
	return v
}

var errNoLive = fmt.Errorf("accesstoken: %w: a Verifier needs a function that says whether a session is live", revoke.ErrMisconfigured)

// Verify returns the claims of a token, if it is valid and its session is live. The error is
//
//   - [ErrInvalid] if the token is invalid;
//   - a [*revoke.RevokedError] if its session was revoked;
//   - [revoke.ErrUnauthenticated] if there is no such session. The other two are an
//     ErrUnauthenticated too.
//
// Any other error means that the check failed: the token may be good.
func (v *Verifier) Verify(ctx context.Context, token string) (*Claims, error) {
	if v.live == nil && !v.InsecureSkipLive {
		return nil, errNoLive
	}
	c, err := v.verify(ctx, token)
	if err != nil || v.InsecureSkipLive {
		return c, err
	}
	if err := v.live(ctx, c.SID); err != nil {
		return nil, err
	}
	return c, nil
}

// leeway is how far the clocks of issuer and verifier may be apart, in seconds.
const leeway = 30

// verify is Verify without the question whether the session is live.
func (v *Verifier) verify(ctx context.Context, token string) (*Claims, error) {
	if !isCompact(token) {
		return nil, invalid("malformed") // RFC 7515, section 7.1
	}
	keys, err := v.keys.current(ctx)
	if err != nil {
		return nil, err
	}
	c := keys.remembered(token)
	isNew := c == nil
	if isNew {
		if c, err = v.verifySignature(ctx, keys, token); err != nil {
			return nil, err
		}
	}
	switch now := time.Now().Unix(); {
	case c.Issuer != v.issuer:
		return nil, invalid("another issuer") // RFC 8725, section 3.8
	case c.Audience != v.audience:
		return nil, invalid("another audience") // RFC 8725, section 3.9
	case c.Subject == "" || c.SID == "":
		return nil, invalid("names no session") // RFC 9068, section 2.2
	case now-leeway >= c.ExpiresAt:
		return nil, invalid("expired") // RFC 7519, section 4.1.4
	case now+leeway < c.NotBefore:
		return nil, invalid("not valid yet") // RFC 7519, section 4.1.5
	}
	if isNew {
		keys.remember(token, c)
	}
	own := *c // what is remembered is for others too
	return &own, nil
}

const typeName = "at+jwt"

// verifySignature returns what a token says that is signed with one of the keys.
func (v *Verifier) verifySignature(ctx context.Context, keys *keySet, token string) (*Claims, error) {
	header, err := parseHeader(token)
	switch {
	case err != nil:
		return nil, invalid("malformed header") // RFC 7515, section 5.2
	case len(header) != 3:
		// jwk, jku, x5c and x5u bring a key of the sender's: RFC 8725, section 3.10.
		// crit and b64 change what is signed: RFC 7515, section 4.1.11, and RFC 7797.
		return nil, invalid("header has more or less than alg, kid and typ")
	case header["typ"] != typeName:
		return nil, invalid("another type") // RFC 8725, section 3.11; RFC 9068, section 4
	}
	key, ok := keys.byID[header["kid"]]
	if !ok {
		if keys, err = v.keys.renewed(ctx); err != nil {
			return nil, err
		}
		key, ok = keys.byID[header["kid"]]
	}
	switch {
	case !ok:
		return nil, invalid("unknown key")
	case header["alg"] != string(key.algorithm):
		return nil, invalid("not the key's algorithm") // RFC 8725, sections 3.1 and 3.2
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{key.algorithm})
	if err != nil {
		return nil, invalid("malformed") // RFC 7515, section 5.2
	}
	payload, err := jws.Verify(key.key)
	if err != nil {
		return nil, invalid("wrong signature") // RFC 8725, section 3.3
	}
	c := new(Claims)
	if json.Unmarshal(payload, c) != nil {
		return nil, invalid("malformed claims") // RFC 7519, section 7.2
	}
	return c, nil
}

// maxToken is how long a token may be, in bytes: those of [Tokens.Mint] have some 500.
const maxToken = 4096

// isCompact reports whether a token has three parts in base64url, and the last of them
// one spelling only: the signature says nothing about how it is spelled itself.
func isCompact(token string) bool {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return false
	}
	for _, c := range []byte(token) {
		isLetter, isDigit := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z', '0' <= c && c <= '9'
		if !isLetter && !isDigit && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	signature := token[strings.LastIndexByte(token, '.')+1:]
	_, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	return err == nil
}

func parseHeader(token string) (header map[string]string, err error) {
	encoded, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err == nil {
		err = json.Unmarshal(text, &header)
	}
	return header, err
}
