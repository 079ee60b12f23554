// Package codec writes session data as CBOR and reads it back, and reads what scs
// writes as gob. The comment of Codec in the module's root describes the format.
package codec

import (
	"bytes"
	"encoding/gob"
	"errors"
	"maps"
	"math"
	"time"

	"github.com/fxamacker/cbor/v2"
)

const version = 1

// head begins all data of this version: an array of three, the version, and the head of
// the byte string that is the deadline. The values are the rest.
var head = []byte{0x83, version, 0x40 | timeLength}

var encMode = func() cbor.EncMode {
	options := cbor.CoreDetEncOptions()
	options.NilContainers = cbor.NilContainerAsEmpty // for scs, no map is an empty one
	return must(options.EncMode())
}()

// decMode does not limit the number of values: the decoder has seen all of them
// before it allocates the first. Nothing else needs more than the least that
// these options allow.
var decMode = must(cbor.DecOptions{
	DupMapKey:        cbor.DupMapKeyEnforcedAPF,
	IndefLength:      cbor.IndefLengthForbidden,
	IntDec:           cbor.IntDecConvertSignedOrFail,
	MaxArrayElements: 16,
	MaxMapPairs:      math.MaxInt32,
	MaxNestedLevels:  4,
	TagsMd:           cbor.TagsForbidden,
	UTF8:             cbor.UTF8DecodeInvalid,
}.DecMode())

func must[M any](mode M, err error) M {
	if err != nil {
		panic(err) // the options contradict each other
	}
	return mode
}

// Encode returns the data of a session as bytes, and leaves values as it is.
func Encode(deadline time.Time, values map[string]any) ([]byte, error) {
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
			return nil, err
		}
	}
	encoded, err := encMode.Marshal(packed)
	data := make([]byte, 0, len(head)+timeLength+len(encoded))
	data = appendTime(append(data, head...), deadline)
	return append(data, encoded...), err
}

// Decode returns the deadline and the values that Encode or scs's gob codec was
// given. The values are nil only with an error.
func Decode(data []byte) (time.Time, map[string]any, error) {
	deadline, values, err := decode(data)
	if err != nil {
		return time.Time{}, nil, err
	}
	if values == nil {
		values = make(map[string]any)
	}
	return deadline, values, nil
}

func decode(data []byte) (time.Time, map[string]any, error) {
	if IsGob(data) {
		return decodeGobSession(data)
	}
	if !bytes.HasPrefix(data, head) || len(data) < len(head)+timeLength {
		return time.Time{}, nil, errors.New("unknown format or version")
	}
	deadline, packed := data[len(head):len(head)+timeLength], data[len(head)+timeLength:]
	var values map[string]any
	if err := decMode.Unmarshal(packed, &values); err != nil {
		return time.Time{}, nil, err
	}
	for key, value := range values {
		switch value.(type) {
		case nil, bool, float64, string, []byte:
			continue // as they are
		}
		var err error
		if values[key], err = unpack(value); err != nil {
			return time.Time{}, nil, err
		}
	}
	at, err := unpackTime(deadline)
	return at, values, err
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
		return []any{"time", appendTime(nil, v)}, nil
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(&value)
	return []any{"gob", b.Bytes()}, err
}

// unpack returns the value that pack was given, or an int, which the decoder has
// read as an int64.
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
