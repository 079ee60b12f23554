package accesstoken_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/revoke-sessions/revoke/store"
)

// TestRemembered shows that a token is looked at once, and no more are remembered than
// there is room for.
func TestRemembered(t *testing.T) {
	ctx, st, key := context.Background(), store.NewMemory(), edKey()
	s := newSite(t, st, key).serve()
	service := s.service(st)
	c, err := service.Verify(ctx, s.access("ann"))
	if err != nil {
		t.Fatal(err)
	}
	token := func(n int) string {
		claims := fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"ann","sid":%q,"exp":%d,"jti":"%d"}`, issuer, audience, c.SID, c.ExpiresAt, n)
		return sign(`{"alg":"EdDSA","typ":"at+jwt","kid":"`+kid(key.Public())+`"}`, claims, byEd(key))
	}
	first, err := service.Verify(ctx, token(0))
	if err != nil {
		t.Fatal(err)
	}
	first.Subject = "eve"
	if again, _ := service.Verify(ctx, token(0)); again.Subject != "ann" {
		t.Error("a request can change what others get")
	}
	if !service.remembers(t, token(0)) {
		t.Error("it was not remembered")
	}
	if testing.Short() {
		return
	}
	for n := range 2 * 4096 {
		if _, err := service.Verify(ctx, token(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	if service.remembers(t, token(0)) {
		t.Error("nothing is ever forgotten")
	}
}

// remembers reports whether the service verifies a token without a look at its signature:
// to check that takes many allocations.
func (s *service) remembers(t *testing.T, token string) bool {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := s.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	return after.Mallocs-before.Mallocs < 60
}
