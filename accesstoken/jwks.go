package accesstoken

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// KeysLast is how long a verifier believes the keys that it has fetched. While it cannot
// fetch them again, it believes them for an hour.
const KeysLast = 5 * time.Minute

const (
	keysLastAtMost = time.Hour
	fetchInterval  = 10 * time.Second // the least between two fetches, whatever tokens come
	fetchTimeout   = 3 * time.Second
	maxJWKS        = 1 << 18 // bytes
)

// JWKS serves the public keys, as a JSON Web Key Set (RFC 7517).
func (t *Tokens) JWKS() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", "public, max-age=60") // less than KeysLast, which counts from the fetch
		w.Write(t.jwks)
	})
}

func marshalJWKS(keys []publicKey) ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.key, KeyID: k.id, Algorithm: string(k.algorithm), Use: "sig"})
	}
	return json.Marshal(set)
}

// remoteKeys fetches the keys of an issuer elsewhere.
type remoteKeys struct {
	url    string
	client func() *http.Client // or nil

	fetched atomic.Pointer[fetchedKeys]

	mu     sync.Mutex // who has it fetches
	tried  time.Time
	failed error // what became of that
}

type fetchedKeys struct {
	*keySet
	at time.Time
}

// isYounger reports whether there are keys that were fetched less than d ago.
func (f *fetchedKeys) isYounger(d time.Duration) bool { return f != nil && time.Since(f.at) < d }

// current returns the keys that were fetched last, or fetches them if they are too old.
// As long as they can be believed no request waits for another that fetches them.
func (r *remoteKeys) current(ctx context.Context) (*keySet, error) {
	f := r.fetched.Load()
	switch {
	case f.isYounger(KeysLast):
		return f.keySet, nil
	case !f.isYounger(keysLastAtMost):
		r.mu.Lock()
	case !r.mu.TryLock():
		return f.keySet, nil
	}
	defer r.mu.Unlock()
	return r.fetchOnce(ctx) // or another request has, just now
}

// renewed fetches the keys, so that a new one is known as soon as it is used. If it fails,
// nobody knows whether there is a new one.
func (r *remoteKeys) renewed(ctx context.Context) (*keySet, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys, err := r.fetchOnce(ctx)
	if err == nil && r.failed != nil {
		return nil, r.failure()
	}
	return keys, err
}

// fetchOnce fetches the keys unless that was tried a moment ago. If it fails, it returns
// those that can be believed. It is called under mu.
func (r *remoteKeys) fetchOnce(ctx context.Context) (*keySet, error) {
	if now := time.Now(); r.tried.IsZero() || now.Sub(r.tried) >= fetchInterval {
		r.tried = now
		keys, err := r.fetch(ctx)
		if err == nil {
			r.fetched.Store(&fetchedKeys{newKeySet(keys), now})
		}
		r.failed = err
	}
	if f := r.fetched.Load(); f.isYounger(keysLastAtMost) {
		return f.keySet, nil
	}
	return nil, r.failure()
}

func (r *remoteKeys) failure() error { return fmt.Errorf("accesstoken: fetch keys: %w", r.failed) }

func (r *remoteKeys) fetch(ctx context.Context) ([]publicKey, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout) // others wait for it too
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := cmp.Or(r.client(), http.DefaultClient).Do(request)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxJWKS)).Decode(&set); err != nil {
		return nil, err
	}
	var keys []publicKey
	for _, text := range set.Keys {
		var jwk jose.JSONWebKey
		if json.Unmarshal(text, &jwk) != nil || jwk.Use == "enc" {
			continue // RFC 7517, section 5: a key that is not understood is ignored
		}
		key, err := newPublicKey(jwk.Key)
		if err == nil && (jwk.Algorithm == "" || jwk.Algorithm == string(key.algorithm)) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key for access tokens")
	}
	return keys, nil
}
