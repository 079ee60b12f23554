package codec

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// inUTC takes the place of the offset for UTC itself, which is not the same as a
// zone whose offset is zero.
const inUTC = math.MinInt32

const timeLength = 16

// appendTime does not use MarshalBinary, because that does not keep the offset of a
// zone that is not whole minutes west of UTC, as much of America was at the zero
// time.
func appendTime(b []byte, t time.Time) []byte {
	offset := inUTC
	if t.Location() != time.UTC {
		_, offset = t.Zone()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
	return binary.BigEndian.AppendUint32(b, uint32(offset))
}

// unpackTime prefers the local zone to a nameless one, as gob does.
func unpackTime(b []byte) (time.Time, error) {
	if len(b) != timeLength {
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
