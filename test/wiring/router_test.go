package wiring

import (
	"net/http"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

// TestOtherRouters shows the handlers one by one, each under a pattern of a
// router that is not ours.
func TestOtherRouters(t *testing.T) {
	app := testapp.New(t, store.NewMemory())
	app.Mux.Handle("GET /account/devices", app.Sessions.ListHandler())
	app.Mux.Handle("DELETE /account/devices/{id}", app.Sessions.RevokeHandler())
	app.Mux.Handle("POST /account/devices/revoke", app.Sessions.RevokeOthersHandler())
	app.Mux.Handle("DELETE /account/devices", app.Sessions.RevokeOthersHandler())
	app.Mux.Handle("DELETE /devices/{id}/session", app.Sessions.RevokeHandler())
	phone, laptop, tablet := app.SignedIn(t, "ann"), app.SignedIn(t, "ann"), app.SignedIn(t, "ann")
	if got := laptop.Delete("/devices/" + tablet.ID() + "/session"); got.Status != http.StatusOK {
		t.Errorf("revoke by a path value that is not last: %d %s", got.Status, got.Body)
	}
	if got := laptop.Get("/account/devices"); !strings.Contains(got.Body, phone.ID()) {
		t.Errorf("list: %d %s", got.Status, got.Body)
	}
	if got := laptop.Delete("/account/devices/" + phone.ID()); got.Status != http.StatusOK {
		t.Errorf("revoke: %d %s", got.Status, got.Body)
	}
	if got := laptop.Delete("/account/devices"); got.Body != `{"count":0,"revoked":[]}`+"\n" {
		t.Errorf("revoke others: %d %s", got.Status, got.Body)
	}
	if got := laptop.Post("/account/devices/revoke"); got.Status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", got.Status)
	}
}
