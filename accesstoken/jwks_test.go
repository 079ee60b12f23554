package accesstoken_test

import (
	"crypto"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/store"
)

// A device keeps its key to itself, as one for keys does.
type device struct{ crypto.Signer }

// TestKeys makes and verifies tokens with each kind of key, and with none that is weak.
func TestKeys(t *testing.T) {
	for name, test := range map[string]struct {
		key       crypto.Signer
		algorithm string
	}{
		"Ed25519":                {edKey(), "EdDSA"},
		"ECDSA":                  {ecKey(), "ES256"},
		"RSA":                    {rsaKey(2048), "RS256"},
		"Ed25519 in a device":    {device{edKey()}, "EdDSA"},
		"ECDSA in a device":      {device{ecKey()}, "ES256"},
		"RSA in a device":        {device{rsaKey(2048)}, "RS256"},
		"RSA of 1024 bits":       {rsaKey(1024), ""},
		"ECDSA on another curve": {p384Key(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMemory()
			if test.algorithm == "" {
				for _, keys := range [][]crypto.Signer{{test.key}, {edKey(), test.key}} {
					if _, err := accesstoken.New(nil, accesstoken.Config{Issuer: issuer, Audience: audience, Keys: keys}); err == nil {
						t.Error("New takes it")
					}
				}
				return
			}
			s := newSite(t, st, test.key).serve()
			service := s.service(st)
			token := s.access("ann")
			if _, err := service.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
			header, _, _ := strings.Cut(token, ".")
			decoded, _ := b64.DecodeString(header)
			var h map[string]string
			if err := json.Unmarshal(decoded, &h); err != nil || h["alg"] != test.algorithm || h["typ"] != "at+jwt" || h["kid"] != kid(test.key.Public()) || len(h) != 3 {
				t.Errorf("header %s", decoded)
			}
		})
	}
}

// TestJWKS shows that the document has the public parts of all keys, and nothing else.
func TestJWKS(t *testing.T) {
	keys := []crypto.Signer{edKey(), ecKey(), rsaKey(2048)}
	s := newSite(t, store.NewMemory(), keys...).serve()
	got := ask(t, "GET", s.url+"/jwks", nil, nil)
	if got.header.Get("Content-Type") != "application/jwk-set+json" || got.header.Get("Cache-Control") != "public, max-age=60" || got.header.Get("Set-Cookie") != "" {
		t.Errorf("header %v", got.header)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal([]byte(got.body), &set); err != nil || len(set.Keys) != len(keys) {
		t.Fatalf("%v, %s", err, got.body)
	}
	for i, k := range set.Keys {
		if k["kid"] != kid(keys[i].Public()) || k["use"] != "sig" || k["d"] != nil || k["p"] != nil {
			t.Errorf("key %d: %v", i, k)
		}
	}
}

// TestNewKeyWhileIssuerIsDown shows that a verifier which cannot ask about a key does not
// say that there is none.
func TestNewKeyWhileIssuerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.NewMemory()
		var i issuerServer
		first, second := edKey(), edKey()
		i.site.Store(siteInBubble(t, st, first))
		v := i.verifier(st)
		if _, err := v.Verify(t.Context(), i.site.Load().mintFor("ann")); err != nil {
			t.Fatal(err)
		}
		i.down.Store(true)
		time.Sleep(2 * accesstoken.KeysLast)
		token := siteInBubble(t, st, second, first).mintFor("ann")
		for range 2 { // one fetches, and one comes a moment later
			if _, err := v.Verify(t.Context(), token); err == nil || errors.Is(err, revoke.ErrUnauthenticated) {
				t.Errorf("while nobody knows: %v", err)
			}
		}
		i.down.Store(false)
		i.site.Store(siteInBubble(t, st, second, first))
		time.Sleep(10 * time.Second)
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	})
}
