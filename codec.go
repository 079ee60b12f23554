package revoke

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/fxamacker/cbor/v2"
)

// Codec is an [scs.Codec] that writes session data as CBOR. It is many times
// faster than [scs.GobCodec], whose data it also reads, and deterministic, so
// that whether a session has changed can be asked of its bytes. [New] installs
// it; with scs alone, set sm.Codec = revoke.Codec{}. It is safe for concurrent
// use.
//
// Every value comes back with the Go type that it went in with. What Encode
// writes is one array, in the core deterministic encoding of RFC 8949, section
// 4.2.1:
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
// Gob data is told from it by its first byte, which no CBOR array starts with.
// A program that still has GobCodec cannot read what Codec writes.
//
// Equal values give equal bytes. The exception is a value that goes through gob:
// gob writes maps in any order and numbers types as each process meets them, so
// that equal values can give other bytes, though never other values equal ones.
//
// What does not come back: the payload of a NaN, a time's monotonic reading, the
// name of its zone (its offset does), and what gob leaves out of the types that
// go through it, pointers among them. A string or key that is not valid UTF-8 is
// written as text all the same, which other decoders may refuse.
//
// Decode trusts nothing. Data that is malformed, of another version, followed by
// more, has a key twice or nests gob deeper than 10,000 values is an error and never
// a panic. What Decode allocates is at most a small multiple of the data's length,
// whatever the data claims to hold, other than by a registered type's GobDecode.
type Codec struct{}

var _ scs.Codec = Codec{}

// codecData is the array that Codec writes.
type codecData struct {
	_        struct{} `cbor:",toarray"`
	Version  int
	Deadline []byte
	Values   map[string]any
}

const codecVersion = 1

// codecHead begins all data of this version: an array of three, then the version.
var codecHead = []byte{0x83, codecVersion}

var codecEnc = func() cbor.EncMode {
	options := cbor.CoreDetEncOptions()
	options.NilContainers = cbor.NilContainerAsEmpty // for scs, no map is an empty one
	return mustMode(options.EncMode())
}()

// codecDec sets no limit to the number of values, since all of them have been
// seen to be there before the first is allocated. Nothing else needs more than
// the least that these options allow.
var codecDec = mustMode(cbor.DecOptions{
	DupMapKey:        cbor.DupMapKeyEnforcedAPF,
	IndefLength:      cbor.IndefLengthForbidden,
	IntDec:           cbor.IntDecConvertSignedOrFail,
	MaxArrayElements: 16,
	MaxMapPairs:      math.MaxInt32,
	MaxNestedLevels:  4,
	TagsMd:           cbor.TagsForbidden,
	UTF8:             cbor.UTF8DecodeInvalid,
}.DecMode())

func mustMode[M any](mode M, err error) M {
	if err != nil {
		panic(err) // the options contradict each other
	}
	return mode
}

// Encode returns the data of a session as bytes. It fails as encoding/gob does,
// on a type that is not registered with [gob.Register] for one.
func (Codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	packed, own := values, false
	for key, value := range values {
		if isPlain(value) {
			continue
		}
		if !own {
			packed, own = maps.Clone(values), true
		}
		var err error
		if packed[key], err = pack(value); err != nil {
			return nil, fmt.Errorf("revoke: encode session data: %w", err)
		}
	}
	return codecEnc.Marshal(codecData{Version: codecVersion, Deadline: packTime(deadline), Values: packed})
}

// Decode returns the deadline and the values that Encode or [scs.GobCodec] was
// given. The values are never nil.
func (Codec) Decode(data []byte) (time.Time, map[string]any, error) {
	deadline, values, err := decode(data)
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("revoke: decode session data: %w", err)
	}
	if values == nil {
		values = make(map[string]any)
	}
	return deadline, values, nil
}

// isGob reports whether data begins as gob does, with the length of a message, and
// not as Codec does.
func isGob(data []byte) bool { return len(data) > 0 && (data[0] < 0x80 || data[0] > 0xf7) }

func decode(data []byte) (time.Time, map[string]any, error) {
	if isGob(data) {
		var old struct {
			Deadline time.Time
			Values   map[string]any
		}
		err := decodeGob(data, &old)
		return old.Deadline, old.Values, err
	}
	if !bytes.HasPrefix(data, codecHead) {
		return time.Time{}, nil, errors.New("unknown format or version")
	}
	var d codecData
	if err := codecDec.Unmarshal(data, &d); err != nil {
		return time.Time{}, nil, err
	}
	for key, value := range d.Values {
		switch value.(type) {
		case nil, bool, float64, string, []byte:
			continue // as they are
		}
		var err error
		if d.Values[key], err = unpack(value); err != nil {
			return time.Time{}, nil, err
		}
	}
	deadline, err := unpackTime(d.Deadline)
	return deadline, d.Values, err
}

// isPlain reports whether CBOR alone keeps the value's type.
func isPlain(value any) bool {
	switch v := value.(type) {
	case nil, bool, int, float64, string:
		return true
	case []byte:
		return v != nil
	}
	return false
}

// pack names the type of a value that is not plain.
func pack(value any) (any, error) {
	switch v := value.(type) {
	case []byte:
		return []any{"bytes", nil}, nil
	case int32:
		return []any{"int32", int64(v)}, nil
	case int64:
		return []any{"int64", v}, nil
	case time.Time:
		return []any{"time", packTime(v)}, nil
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(&value)
	return []any{"gob", b.Bytes()}, err
}

// unpack returns the value that pack was given, or an int, which CBOR has read as
// an int64.
func unpack(packed any) (any, error) {
	if n, ok := packed.(int64); ok && int64(int(n)) == n {
		return int(n), nil
	}
	if pair, ok := packed.([]any); ok && len(pair) == 2 {
		kind, _ := pair[0].(string)
		n, isInt := pair[1].(int64)
		b, isBytes := pair[1].([]byte)
		switch {
		case kind == "bytes" && pair[1] == nil:
			return []byte(nil), nil
		case kind == "int32" && isInt && int64(int32(n)) == n:
			return int32(n), nil
		case kind == "int64" && isInt:
			return n, nil
		case kind == "time" && isBytes:
			return unpackTime(b)
		case kind == "gob" && isBytes:
			var value any
			err := decodeGob(b, &value)
			return value, err
		}
	}
	return nil, errors.New("unknown kind of value")
}

// inUTC stands in place of an offset for UTC itself, which is not the same as a
// zone whose offset is zero.
const inUTC = math.MinInt32

// packTime does not use MarshalBinary: from a zone that is not whole minutes west
// of UTC, as much of America was at the zero time, that comes back with another
// offset each time.
func packTime(t time.Time) []byte {
	offset := inUTC
	if t.Location() != time.UTC {
		_, offset = t.Zone()
	}
	b := make([]byte, 0, 16)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
	return binary.BigEndian.AppendUint32(b, uint32(offset))
}

// unpackTime prefers the local zone to a nameless one, as gob does.
func unpackTime(b []byte) (time.Time, error) {
	if len(b) != 16 {
		return time.Time{}, errors.New("malformed time")
	}
	t := time.Unix(int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint32(b[8:])))
	offset := int(int32(binary.BigEndian.Uint32(b[12:])))
	if offset == inUTC {
		return t.UTC(), nil
	}
	if _, local := t.Zone(); local != offset {
		t = t.In(time.FixedZone("", offset))
	}
	return t, nil
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

// encodeGob writes what scs.GobCodec reads. A field more than it knows says that the
// data was last written by revoke: scs ignores it, and drops it when it writes.
func encodeGob(deadline time.Time, values map[string]any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(struct {
		Deadline time.Time
		Values   map[string]any
		ByRevoke bool
	}{deadline, values, true})
	if err != nil {
		return nil, fmt.Errorf("revoke: encode session data: %w", err)
	}
	return b.Bytes(), nil
}

// isFromPlainSCS reports whether data was last written by plain scs.
func isFromPlainSCS(data []byte) bool {
	return isGob(data) && !bytes.Contains(data, []byte("ByRevoke"))
}
