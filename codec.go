package revoke

import (
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke/internal/codec"
)

// Codec is an [scs.Codec] that writes session data as CBOR. It is many times faster than
// [scs.GobCodec], and reads what GobCodec has written. It is deterministic: equal bytes
// mean that a session has not changed. New installs it for signed-in sessions. With scs
// alone, set sm.Codec = revoke.Codec{}. It is safe for concurrent use.
//
// Every value comes back with the Go type that it went in with. What Encode writes is one
// array, in the core deterministic encoding of RFC 8949, section 4.2.1:
//
//	[1, deadline, {key: value, ...}]
//
// The 1 is the version of the format. The deadline is the 16 bytes of a time, and
// a value is one of
//
//	null, true, false, integer (int), float (float64),
//	text string (string), byte string ([]byte)
//	["bytes", null]         []byte(nil)
//	["int32", integer]      int32
//	["int64", integer]      int64
//	["time", byte string]   time.Time: seconds since 1970 in 8 bytes,
//	                        nanoseconds in 4, seconds east of UTC in 4, all of
//	                        them big-endian; -1<<31 as the last means UTC itself
//	["gob", byte string]    any other type, as encoding/gob writes an interface
//
// Codec knows gob data by its first byte, which no CBOR array starts with. A program
// that still has GobCodec cannot read what Codec writes.
//
// Equal values give equal bytes, unless a value goes through gob: gob writes maps in any
// order, and numbers types as each process meets them. So equal values of such types can
// give different bytes. Different values never give equal bytes.
//
// These do not come back: the payload of a NaN; a time's monotonic reading and the name of
// its zone (its offset does); and what gob leaves out of the types that go through it,
// pointers among them. If a string or a key is not valid UTF-8, it is written as text all
// the same, and other decoders may refuse it.
//
// Decode trusts nothing. It returns an error, and never panics, if data is malformed or of
// another version, has more behind its end, has a key twice, or nests gob deeper than
// 10,000 values. What Decode allocates is at most a small multiple of the data's length,
// whatever the data claims to hold. Only the GobDecode of a registered type can allocate
// more.
type Codec struct{}

var _ scs.Codec = Codec{}

// Encode returns the data of a session as bytes. It fails if encoding/gob does: on a type
// that is not registered with [gob.Register], for example.
func (Codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	data, err := codec.Encode(deadline, values)
	if err != nil {
		return nil, fmt.Errorf("revoke: encode session data: %w", err)
	}
	return data, nil
}

// Decode returns the deadline and the values that Encode or [scs.GobCodec] was
// given. The values are never nil.
func (Codec) Decode(data []byte) (time.Time, map[string]any, error) {
	deadline, values, err := codec.Decode(data)
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("revoke: decode session data: %w", err)
	}
	return deadline, values, nil
}

// A visitorCodec is the codec that New installs. It writes a visitor's session as
// plain scs does, for the nodes that still run it and for a way back, until
// Manager.AdoptUntil has passed.
type visitorCodec struct{ m *Manager }

func (c visitorCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	if c.m.idOf(values) == "" && c.m.hasPlainNodes() {
		return encodeGob(deadline, values)
	}
	return Codec{}.Encode(deadline, values)
}

func (visitorCodec) Decode(data []byte) (time.Time, map[string]any, error) {
	return Codec{}.Decode(data)
}

// hasPlainNodes reports whether nodes of plain scs may read what is written.
func (m *Manager) hasPlainNodes() bool {
	return m.AdoptUntil.IsZero() || time.Now().Before(m.AdoptUntil)
}

// encodeForPlainSCS encodes a session of the visitors' store whose data names a user.
func (m *Manager) encodeForPlainSCS(deadline time.Time, values map[string]any) ([]byte, error) {
	if _, ours := m.sm.Codec.(visitorCodec); ours {
		return encodeGob(deadline, values)
	}
	return m.sm.Codec.Encode(deadline, values)
}

func encodeGob(deadline time.Time, values map[string]any) ([]byte, error) {
	data, err := codec.EncodeGob(deadline, values)
	if err != nil {
		return nil, fmt.Errorf("revoke: encode session data: %w", err)
	}
	return data, nil
}

// isFromPlainSCS reports whether a visitor's data was last written by plain scs.
// Under a codec of the application's own that cannot be told.
func (m *Manager) isFromPlainSCS(data []byte) bool {
	_, ours := m.sm.Codec.(visitorCodec)
	return ours && codec.IsFromPlainSCS(data)
}
