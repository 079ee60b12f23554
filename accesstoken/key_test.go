package accesstoken_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/store"
)

// An issuerServer serves the keys of one site after another, to a client without a
// network.
type issuerServer struct {
	site    atomic.Pointer[site]
	down    atomic.Bool
	fetches atomic.Int64
	stalls  atomic.Pointer[chan struct{}]
}

func (i *issuerServer) RoundTrip(r *http.Request) (*http.Response, error) {
	i.fetches.Add(1)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if stall := i.stalls.Load(); stall != nil {
		select {
		case <-*stall:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if i.down.Load() {
		return nil, errors.New("the issuer is down")
	}
	recorder := httptest.NewRecorder()
	i.site.Load().tokens.JWKS().ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

func (i *issuerServer) verifier(st store.Store) *accesstoken.Verifier {
	v := accesstoken.NewVerifier(issuer, audience, issuer+"/jwks", revoke.LiveIn(st))
	v.Client = &http.Client{Transport: i}
	return v
}

// mintFor returns an access token of a new session, without a network.
func (s *site) mintFor(user string) (token string) {
	s.t.Helper()
	h := s.sessions.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := s.sessions.Issue(r.Context(), user); err != nil {
			s.t.Error(err)
		}
		var err error
		if token, _, err = s.tokens.Mint(r.Context()); err != nil {
			s.t.Error(err)
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil))
	return token
}

// TestKeysRotate replaces a key in three deployments, as Config.Keys says.
func TestKeysRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.NewMemory()
		first, second := edKey(), ecKey()
		var i issuerServer
		v := i.verifier(st)
		verifies := func(token string) bool {
			_, err := v.Verify(t.Context(), token)
			if err != nil && !errors.Is(err, accesstoken.ErrInvalid) {
				t.Error(err)
			}
			return err == nil
		}
		i.site.Store(siteInBubble(t, st, first))
		byFirst := i.site.Load().mintFor("ann")
		if !verifies(byFirst) {
			t.Error("the first key is not known")
		}

		i.site.Store(siteInBubble(t, st, first, second))
		time.Sleep(accesstoken.KeysLast)
		if !verifies(byFirst) {
			t.Error("the first key is gone when the second came")
		}
		fetches := i.fetches.Load()

		i.site.Store(siteInBubble(t, st, second, first))
		bySecond, byFirst := i.site.Load().mintFor("ann"), siteInBubble(t, st, first, second).mintFor("ann")
		if !verifies(bySecond) || !verifies(byFirst) {
			t.Error("not both keys are known")
		}
		if i.fetches.Load() != fetches {
			t.Error("the second key was not known before it was used")
		}

		i.site.Store(siteInBubble(t, st, second))
		if !verifies(byFirst) {
			t.Error("a key is not believed for KeysLast")
		}
		byFirst, bySecond = siteInBubble(t, st, first).mintFor("ann"), i.site.Load().mintFor("ann")
		verifies(byFirst) // and is remembered
		time.Sleep(accesstoken.KeysLast - time.Minute)
		byFirst = siteInBubble(t, st, first).mintFor("ann")
		if !verifies(byFirst) {
			t.Error("a key is not believed for KeysLast")
		}
		time.Sleep(time.Minute)
		if verifies(byFirst) {
			t.Error("a token that was remembered outlives its key")
		}
		if !verifies(bySecond) {
			t.Error("the second key is gone with the first")
		}
	})
}

// TestUnknownKeyIsFetched shows that a key that is used before verifiers have heard of it
// is looked for at once.
func TestUnknownKeyIsFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.NewMemory()
		var i issuerServer
		v := i.verifier(st)
		i.site.Store(siteInBubble(t, st, edKey()))
		if _, err := v.Verify(t.Context(), i.site.Load().mintFor("ann")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		i.site.Store(siteInBubble(t, st, edKey()))
		if _, err := v.Verify(t.Context(), i.site.Load().mintFor("ann")); err != nil {
			t.Error(err)
		}
	})
}

// TestStormOfUnknownKeys shows that nobody makes a verifier ask the issuer all the time.
func TestStormOfUnknownKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.NewMemory()
		var i issuerServer
		i.site.Store(siteInBubble(t, st, edKey()))
		v := i.verifier(st)
		token := i.site.Load().mintFor("ann")
		var wg sync.WaitGroup
		for n := range 1000 {
			wg.Go(func() {
				forged := sign(`{"alg":"EdDSA","typ":"at+jwt","kid":"`+fmt.Sprint(n)+`"}`, `{}`, unsigned)
				if _, err := v.Verify(t.Context(), forged); !errors.Is(err, accesstoken.ErrInvalid) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := i.fetches.Load(); n != 1 {
			t.Errorf("%d fetches", n)
		}
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	})
}

// TestClientHangsUp shows that keys are fetched for all requests, also if the one that
// needed them first is over.
func TestClientHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.NewMemory()
		var i issuerServer
		i.site.Store(siteInBubble(t, st, edKey()))
		v := i.verifier(st)
		token := i.site.Load().mintFor("ann")
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = v.Verify(over, token)
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	})
}

// TestIssuerDown shows that a verifier goes on with the keys that it has, that it does not
// wait for them, and what it says when it has none.
func TestIssuerDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.NewMemory()
		var i issuerServer
		s := siteInBubble(t, st, edKey())
		i.site.Store(s)
		v := i.verifier(st)
		i.down.Store(true)
		token := s.mintFor("ann")
		for range 100 {
			if _, err := v.Verify(t.Context(), token); err == nil || errors.Is(err, revoke.ErrUnauthenticated) {
				t.Fatalf("without keys: %v", err)
			}
		}
		if n := i.fetches.Load(); n != 1 {
			t.Errorf("%d fetches", n)
		}
		i.down.Store(false)
		time.Sleep(10 * time.Second)
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}

		stall := make(chan struct{})
		i.stalls.Store(&stall)
		time.Sleep(accesstoken.KeysLast)
		token = s.mintFor("ann")
		go v.Verify(t.Context(), token) // fetches
		synctest.Wait()
		began := time.Now()
		if _, err := v.Verify(t.Context(), token); err != nil || time.Since(began) > 0 {
			t.Errorf("while another fetches: %v after %v", err, time.Since(began))
		}
		time.Sleep(3 * time.Second) // its patience
		synctest.Wait()

		time.Sleep(time.Hour - accesstoken.KeysLast - 20*time.Second)
		token = s.mintFor("ann")
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Errorf("after an hour without the issuer: %v", err)
		}
		time.Sleep(time.Minute)
		if _, err := v.Verify(t.Context(), token); err == nil || errors.Is(err, revoke.ErrUnauthenticated) {
			t.Errorf("after more than an hour: %v", err)
		}
	})
}

// TestOddKeySets shows which keys of a document are used.
func TestOddKeySets(t *testing.T) {
	st := store.NewMemory()
	ed, weak := edKey(), rsaKey(1024)
	s := newSite(t, st, ed).serve()
	token := s.access("ann")
	one := func(k jose.JSONWebKey) string {
		b, err := k.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	good := jose.JSONWebKey{Key: ed.Public(), KeyID: kid(ed.Public()), Use: "sig", Algorithm: "EdDSA"}
	with := func(change func(*jose.JSONWebKey)) string {
		k := good
		change(&k)
		return one(k)
	}
	for _, test := range []struct {
		name, document string
		used           bool
	}{
		{"good", `{"keys":[` + one(good) + `]}`, true},
		{"among others", `{"keys":[{"kty":"odd"},{"kty":"oct","k":"AAAA"},1,` + one(jose.JSONWebKey{Key: weak.Public(), KeyID: "weak"}) + `,` + one(good) + `]}`, true},
		{"under another name", `{"keys":[` + with(func(k *jose.JSONWebKey) { k.KeyID = "../x" }) + `]}`, true},
		{"for encryption", `{"keys":[` + with(func(k *jose.JSONWebKey) { k.Use = "enc" }) + `]}`, false},
		{"for another algorithm", `{"keys":[` + with(func(k *jose.JSONWebKey) { k.Algorithm = "RS256" }) + `]}`, false},
		{"another's under its name", `{"keys":[` + with(func(k *jose.JSONWebKey) { k.Key = edKey().Public() }) + `]}`, false},
		{"none", `{"keys":[]}`, false},
		{"a page", `<html>`, false},
		{"nothing", ``, false},
		{"too long", `{"pad":"` + strings.Repeat("x", 1<<18) + `","keys":[` + one(good) + `]}`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, test.document) }))
			_, err := accesstoken.NewVerifier(issuer, audience, url, revoke.LiveIn(st)).Verify(t.Context(), token)
			if (err == nil) != test.used {
				t.Errorf("verify: %v", err)
			}
		})
	}
	url := serve(t, http.NotFoundHandler())
	if _, err := accesstoken.NewVerifier(issuer, audience, url, revoke.LiveIn(st)).Verify(t.Context(), token); err == nil || errors.Is(err, revoke.ErrUnauthenticated) {
		t.Errorf("404: %v", err)
	}
}

func TestNewErrors(t *testing.T) {
	key := []crypto.Signer{edKey()}
	for name, c := range map[string]accesstoken.Config{
		"no issuer":         {Audience: audience, Keys: key},
		"no audience":       {Issuer: issuer, Keys: key},
		"no key":            {Issuer: issuer, Audience: audience},
		"negative lifetime": {Issuer: issuer, Audience: audience, Keys: key, Lifetime: -1},
	} {
		if _, err := accesstoken.New(nil, c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
