package revoke

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/netip"

	"github.com/mileusna/useragent"

	"github.com/revoke-sessions/revoke/internal/cleantext"
)

const (
	maxText   = 512 // bytes
	maxLabels = 8
)

// A client is what a store keeps of where a session is used, as JSON so that an
// operator can read it. The address comes first: see sameAddress.
type client struct {
	IP        netip.Addr        `json:"ip"`
	UserAgent string            `json:"user_agent"`
	Labels    map[string]string `json:"labels,omitempty"`
}

func (m *Manager) clientOf(r *http.Request) client {
	return client{IP: m.clientIP(r), UserAgent: clean(r.UserAgent())}
}

// describedClient is the client as it is stored, with the application's labels.
func (m *Manager) describedClient(r *http.Request) client {
	c := m.clientOf(r)
	if m.Describe == nil {
		return c
	}
	for name, value := range m.Describe(r) {
		if len(c.Labels) == maxLabels {
			break
		}
		if c.Labels == nil {
			c.Labels = make(map[string]string)
		}
		c.Labels[clean(name)] = clean(value)
	}
	return c
}

// clientIP is the address of a client as it may be stored.
func (m *Manager) clientIP(r *http.Request) netip.Addr {
	ip := m.peer(r)
	if !m.Anonymize || !ip.IsValid() {
		return ip
	}
	bits := 24
	if ip.Is6() {
		bits = 48
	}
	return netip.PrefixFrom(ip, bits).Masked().Addr()
}

func (m *Manager) peer(r *http.Request) netip.Addr {
	if m.ClientIP != nil {
		return m.ClientIP(r).Unmap().WithZone("")
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap().WithZone("")
}

func (c client) encode() []byte {
	b, _ := json.Marshal(c) // texts do not fail
	return b
}

// decodeClient takes what it cannot read for an unknown client: a session must
// stay in the list, where it can be ended.
func decodeClient(b []byte) client {
	var c client
	_ = json.Unmarshal(b, &c)
	return c
}

// sameAddress reports whether an encoded client has that address, without
// decoding it: it is asked on every request.
func sameAddress(encoded []byte, ip netip.Addr) bool {
	var prefix [len(`{"ip":"`) + 64]byte
	p := append(prefix[:0], `{"ip":"`...)
	p = append(ip.AppendTo(p), '"')
	return bytes.HasPrefix(encoded, p)
}

// clean makes a text from outside fit to be stored, shown and logged.
func clean(s string) string { return cleantext.Clean(s, maxText) }

// Device describes a user agent in a few words: "Firefox on Linux", "Chrome on
// Android", "curl", or "Unknown device".
func Device(userAgent string) string {
	ua := useragent.Parse(userAgent)
	name, system := ua.Name, ua.OS
	if ua.IsIOS() && ua.Device != "" {
		system = ua.Device
	}
	switch {
	case name != "" && system != "":
		return name + " on " + system
	case name != "":
		return name
	case system != "":
		return system
	}
	return "Unknown device"
}

func (m *Manager) device(userAgent string) string {
	if m.Device != nil {
		return m.Device(userAgent)
	}
	return Device(userAgent)
}
