package accesstoken

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// A publicKey verifies tokens of one algorithm.
type publicKey struct {
	id        string // its thumbprint: RFC 7638
	algorithm jose.SignatureAlgorithm
	key       crypto.PublicKey
}

func newPublicKey(key crypto.PublicKey) (publicKey, error) {
	p := publicKey{key: key}
	switch k := key.(type) {
	case ed25519.PublicKey:
		p.algorithm = jose.EdDSA
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return p, errors.New("an ECDSA key must be on P-256")
		}
		p.algorithm = jose.ES256
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return p, errors.New("an RSA key must have 2048 bits or more")
		}
		p.algorithm = jose.RS256
	default:
		return p, fmt.Errorf("there is no algorithm for a key of type %T", key)
	}
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	p.id = base64.RawURLEncoding.EncodeToString(sum)
	return p, err
}

// A keySource has the keys of an issuer.
type keySource interface {
	// current returns the keys.
	current(context.Context) (*keySet, error)

	// renewed returns the keys after one that is not in the current ones was named.
	renewed(context.Context) (*keySet, error)
}

// A keySet is the keys that an issuer has at one time, with the tokens that were found to
// be signed with them. A signature takes longer to check than all the rest; and what is
// remembered of it goes when its key goes.
type keySet struct {
	byID map[string]publicKey

	mu         sync.RWMutex
	young, old map[[sha256.Size]byte]*Claims
}

func newKeySet(keys []publicKey) *keySet {
	s := &keySet{byID: make(map[string]publicKey), young: make(map[[sha256.Size]byte]*Claims)}
	for _, k := range keys {
		s.byID[k.id] = k
	}
	return s
}

func (s *keySet) current(context.Context) (*keySet, error) { return s, nil }
func (s *keySet) renewed(context.Context) (*keySet, error) { return s, nil }

// maxRemembered is half of how many tokens are remembered at most.
const maxRemembered = 4096

// remembered returns what a token says of which the signature was good, or nil.
func (s *keySet) remembered(token string) *Claims {
	sum := sha256.Sum256([]byte(token))
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.young[sum]; c != nil {
		return c
	}
	return s.old[sum]
}

func (s *keySet) remember(token string, c *Claims) {
	sum := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= maxRemembered {
		s.old, s.young = s.young, make(map[[sha256.Size]byte]*Claims)
	}
	s.young[sum] = c
}
