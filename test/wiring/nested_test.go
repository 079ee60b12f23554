package wiring

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestNestedManagers shows that a manager whose save step fails does not take away
// the cookie that a manager inside has set, nor leave any header of the handler's.
func TestNestedManagers(t *testing.T) {
	failing := testapp.NewTap(store.NewMemory())
	outer, inner := testapp.Over(scs.New(), failing), testapp.Over(scs.New(), store.NewMemory())
	inner.SCS.Cookie.Name = "inner"
	handler := outer.Sessions.Track(inner.Sessions.Track(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("X-Before", "of the handler")
		inner.Sessions.Login(r.Context(), "ann")
		outer.Sessions.Login(r.Context(), "ann")
	})))
	failing.Fail = func(testapp.Call) error { return errors.New("down") }
	w := httptest.NewRecorder()
	w.Header().Set("X-Before", "of the server")
	handler.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
	if got := w.Header()["X-Before"]; len(got) != 1 || got[0] != "of the server" {
		t.Errorf("X-Before: %q", got)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || cookies[0].Name != "inner" {
		t.Fatalf("cookies %v, want the inner manager's", cookies)
	}
	b := inner.BrowserWith(t, cookies[0].Value)
	if !b.Opens() {
		t.Error("the inner manager's cookie opens nothing")
	}
}
