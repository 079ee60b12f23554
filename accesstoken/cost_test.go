package accesstoken_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/accesstoken"
	"github.com/revoke-sessions/revoke/store"
)

// TestLeasedRequestAllocatesLittle shows that a service which answers from a lease makes at
// most ten allocations more for a request than a bare handler.
func TestLeasedRequestAllocatesLittle(t *testing.T) {
	st := store.NewMemory()
	s := newSite(t, st, edKey()).serve()
	v := accesstoken.NewVerifier(issuer, audience, s.url+"/jwks", revoke.LiveIn(store.Lease(st, time.Hour)))
	header := bearer(s.access("ann"))
	allocates := func(h http.Handler) float64 {
		return testing.AllocsPerRun(100, func() {
			if status := request(h, header); status != http.StatusOK {
				t.Fatal(status)
			}
		})
	}
	bare, leased := allocates(ok), allocates(v.Middleware(ok))
	t.Logf("%v allocations, of which the handler and the recorder have %v", leased, bare)
	if leased-bare > 10 {
		t.Errorf("%v allocations more than a bare handler", leased-bare)
	}
}

var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok")) })

// request has a handler serve a request with that header, and returns the status.
func request(h http.Handler, header http.Header) (status int) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}
