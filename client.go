package revoke

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/mileusna/useragent"

	"github.com/revoke-sessions/revoke/internal/cleantext"
	"github.com/revoke-sessions/revoke/internal/recent"
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
	Family    string            `json:"family,omitempty"` // of the tokens of a session that has no cookie: see chainSecret
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
	ip := peer.Addr()
	if err != nil {
		ip, _ = netip.ParseAddr(r.RemoteAddr) // without a port, as chi's RealIP leaves it
	}
	return ip.Unmap().WithZone("")
}

func (c client) encode() []byte {
	if len(c.Labels) > 0 || c.Family != "" || !isPlainText(c.UserAgent) {
		b, _ := json.Marshal(c) // texts do not fail
		return b
	}
	b := make([]byte, 0, 64+len(c.UserAgent))
	b = append(c.IP.AppendTo(append(b, `{"ip":"`...)), `","user_agent":"`...)
	return append(append(b, c.UserAgent...), `"}`...)
}

// decodeClient returns an unknown client for what it cannot read: a session must
// stay in the list, where it can be ended.
func decodeClient(b []byte) client {
	c, ok := decodeSimple(string(b))
	if !ok {
		_ = json.Unmarshal(b, &c)
	}
	return c
}

// decodeSimple decodes what encode makes of nearly every client without encoding/json,
// which is slow: one without labels and escaped characters.
func decodeSimple(s string) (c client, ok bool) {
	s, hasIP := strings.CutPrefix(s, `{"ip":"`)
	ip, s, hasUserAgent := strings.Cut(s, `","user_agent":"`)
	userAgent, ends := strings.CutSuffix(s, `"}`)
	if !hasIP || !hasUserAgent || !ends || !isPlainText(ip) || !isPlainText(userAgent) {
		return client{}, false
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return client{}, false
	}
	return client{IP: addr, UserAgent: userAgent}, true
}

// isPlainText reports whether a text stands for itself between the quotes of JSON.
func isPlainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return utf8.ValidString(s)
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

// devices remembers what Device found: many sessions have the same user agent.
var devices = recent.New[string](1000)

// Device describes a user agent in a few words: "Firefox on Linux", "Chrome on
// Android", "curl", or "Unknown device".
func Device(userAgent string) (device string) {
	if len(userAgent) > maxText {
		return describe(userAgent) // too long to be remembered, and to be a session's
	}
	devices.With(userAgent, func(known *string) {
		if *known == "" {
			*known = describe(userAgent)
		}
		device = *known
	})
	return device
}

func describe(userAgent string) string {
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
