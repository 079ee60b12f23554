package revoke_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

func TestAddressOfThePeer(t *testing.T) {
	for remote, want := range map[string]string{
		"203.0.113.7:4711":       "203.0.113.7",
		"[2001:db8::1]:4711":     "2001:db8::1",
		"[fe80::1%eth0]:4711":    "fe80::1",
		"[::ffff:203.0.113.7]:1": "203.0.113.7",
		"203.0.113.7":            "203.0.113.7", // as chi's RealIP leaves it
		"2001:db8::1":            "2001:db8::1",
		"::ffff:203.0.113.7":     "203.0.113.7",
		"fe80::1%eth0":           "fe80::1",
		"@":                      "", // of a Unix socket
		"":                       "",
		"example.com:80":         "",
	} {
		m := revoke.New(scs.New(), store.NewMemory())
		r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
		r.RemoteAddr = remote
		m.Track(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { m.Login(r.Context(), "ann") })).ServeHTTP(w, r)
		sessions, err := m.List(t.Context(), "ann")
		if err != nil || len(sessions) != 1 {
			t.Fatal(sessions, err)
		}
		if want, _ := netip.ParseAddr(want); sessions[0].IP != want {
			t.Errorf("the address of %q is %v, want %v", remote, sessions[0].IP, want)
		}
	}
}

// FuzzClient shows that a client is read as the JSON that it is, however it is
// written, and that what is not JSON is an unknown client.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{
		`{"ip":"192.0.2.1","user_agent":"curl/8.5.0"}`,
		`{"ip":"2001:db8::1","user_agent":""}`,
		`{"ip":"","user_agent":"curl/8.5.0"}`,
		`{"ip":"192.0.2.1","user_agent":"a \"quoted\" \u003cword\u003e"}`,
		`{"ip":"192.0.2.1","user_agent":"é ` + "\xff" + `"}`,
		`{"ip":"192.0.2.1","user_agent":"` + "\x00" + `"}`,
		`{"ip":"192.0.2.1","user_agent":"` + "\x7f" + `"}`,
		`{"ip":"192.0.2.1","user_agent":"a","labels":{"place":"Lisbon"}}`,
		`{"ip":"192.0.2.1","user_agent":"a","user_agent":"b"}`,
		`{"ip":"fe80::1%","x":"","user_agent":"a"}`,
		`{"ip":"fe80::1%\u0041","user_agent":"a"}`,
		`{"ip":"fe80::1%` + "\n" + `","user_agent":"a"}`,
		`{"ip":"fe80::1%` + "\xff" + `","user_agent":"a"}`,
		`{"ip":"192.0.2.256","user_agent":"a"}`,
		`{"ip":"192.0.2.1","user_agent":"a"}}`,
		`{"ip":"192.0.2.1","user_agent":"a"`,
		`{ "ip":"192.0.2.1","user_agent":"a"}`,
		`{"user_agent":"a"}`,
		``,
	} {
		f.Add([]byte(seed))
	}
	st := store.NewMemory()
	m := revoke.New(scs.New(), st)
	f.Fuzz(func(t *testing.T, data []byte) {
		r := store.Record{User: benchUserKey, ID: "0000000000000000000000", ExpiresAt: time.Now().Add(time.Hour), Client: data}
		if _, err := st.Create(t.Context(), r, 0); err != nil {
			t.Fatal(err)
		}
		sessions, err := m.List(t.Context(), "bench")
		if err != nil || len(sessions) != 1 {
			t.Fatal(sessions, err)
		}
		if err := st.RevokeEveryone(t.Context()); err != nil {
			t.Fatal(err)
		}
		var want struct {
			IP        netip.Addr        `json:"ip"`
			UserAgent string            `json:"user_agent"`
			Labels    map[string]string `json:"labels"`
		}
		_ = json.Unmarshal(data, &want)
		got := sessions[0]
		if got.IP != want.IP || got.UserAgent != want.UserAgent || len(got.Labels) != len(want.Labels) {
			t.Errorf("%q was read as %v %q %v, want %v %q %v", data, got.IP, got.UserAgent, got.Labels, want.IP, want.UserAgent, want.Labels)
		}
	})
}

func TestDeviceIsRemembered(t *testing.T) {
	const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	for _, userAgent := range []string{firefox, firefox, firefox + strings.Repeat(" ", 10_000)} {
		if got := revoke.Device(userAgent); got != "Firefox on Linux" {
			t.Errorf("%.100q is %q", userAgent, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { revoke.Device(firefox) }); n != 0 {
		t.Errorf("%v allocations for a user agent that is known", n)
	}
}
