package codec

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"time"
)

// IsGob reports whether data begins as gob does, with the length of a message.
// Nothing that Encode writes begins so.
func IsGob(data []byte) bool { return len(data) > 0 && (data[0] < 0x80 || data[0] > 0xf7) }

// EncodeGob writes what scs's gob codec reads. A field that scs does not know says
// that the data was last written here: scs ignores it, and drops it when it writes.
func EncodeGob(deadline time.Time, values map[string]any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(struct {
		Deadline time.Time
		Values   map[string]any
		ByRevoke bool
	}{deadline, values, true})
	return b.Bytes(), err
}

// IsFromPlainSCS reports whether data was last written by scs's gob codec.
func IsFromPlainSCS(data []byte) bool {
	return IsGob(data) && !bytes.Contains(data, []byte("ByRevoke"))
}

// decodeGobSession reads what scs's gob codec wrote.
func decodeGobSession(data []byte) (time.Time, map[string]any, error) {
	var s struct {
		Deadline time.Time
		Values   map[string]any
	}
	err := decodeGob(data, &s)
	for key, value := range s.Values {
		if t, ok := value.(time.Time); ok {
			s.Values[key] = normal(t)
		}
	}
	return normal(s.Deadline), s.Values, err
}

// normal returns the same time with less than a second of nanoseconds. Time's own
// decoder takes more, which data can be made to have, and to compare such a time is to
// find it different from itself.
func normal(t time.Time) time.Time { return t.Add(0) }

// decodeGob decodes one value, and all of data.
func decodeGob(data []byte, value any) (err error) {
	defer func() {
		// A type's own decoder may rely on having been its own encoder. Of what
		// it panics with, only the type is told: the rest may be session data.
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed gob (%T)", r)
		}
	}()
	scanGob(data)
	return gob.NewDecoder(bytes.NewReader(data)).Decode(value)
}

// A gobScan walks through a gob stream without building anything. It goes ahead
// of encoding/gob, which makes room for as many elements as a stream claims to
// hold, gigabytes for a few bytes, before it looks for the first of them.
//
// What is malformed makes it panic, for the most part by running off the end of
// a slice. The format is the one in the documentation of encoding/gob.
//
// It cannot know which fields gob will skip, for want of one of that name, so it
// holds every interface to the length by which gob would skip it. Where a value is
// split to put a definition in its middle, there is no such length, and gob itself
// goes wrong if it skips one. Data could be made for that; none becomes so.
type gobScan struct {
	rest  []byte            // the messages to come
	msg   []byte            // what is left of this one
	types map[int64]gobType // as the stream defines them
}

// A gobType is the form of a type, a field of gob's wireType, with the types that
// it is made of. The forms that are not named below are opaque bytes.
type gobType struct {
	form  int
	parts []int64
}

const gobNone, gobArray, gobSlice, gobStruct, gobMap = -1, 0, 1, 2, 3

// gobDepth limits recursion, since a stack that runs out ends the program.
const gobDepth = 10_000

func scanGob(data []byte) {
	s := gobScan{rest: data, types: make(map[int64]gobType)}
	s.top(s.typeID(), 0)
	if len(s.msg)+len(s.rest) > 0 {
		panic("trailing bytes")
	}
}

// typeID reads the definitions in front of a value, and then its type.
func (s *gobScan) typeID() int64 {
	for {
		if len(s.msg) == 0 {
			s.msg = s.rest
			n := s.uint()
			s.msg, s.rest = s.msg[:n], s.msg[n:]
		}
		id := s.int()
		if id >= 0 {
			return id
		}
		s.define(-id)
		if len(s.msg) > 0 {
			s.uint() // in an interface, a length: gob splits the value here
		}
	}
}

func (s *gobScan) define(id int64) {
	t := gobType{form: gobNone}
	s.fields(func(form int) {
		if t.form != gobNone {
			panic("type of two forms")
		}
		t.form = form
		s.fields(func(field int) {
			switch {
			case field == 0: // the type's own name and number
				s.nameAndID()
			case form == gobStruct:
				s.elements(func() { t.parts = append(t.parts, s.nameAndID()) })
			default: // the type of keys, of elements, the length of an array
				t.parts = append(t.parts, s.int())
			}
		})
	})
	if _, ok := s.types[id]; ok {
		panic("type defined twice")
	}
	s.types[id] = t
}

func (s *gobScan) nameAndID() (id int64) {
	s.fields(func(field int) {
		if field == 0 {
			s.skip(s.uint())
		} else {
			id = s.int()
		}
	})
	return id
}

// top walks through a value that is no part of another: unless it is a struct, a
// zero stands in front.
func (s *gobScan) top(id int64, depth int) {
	if s.types[id].form != gobStruct {
		s.uint()
	}
	s.value(id, depth)
}

func (s *gobScan) value(id int64, depth int) {
	if depth > gobDepth {
		panic("too deep")
	}
	switch id {
	case 1, 2, 3, 4: // bool, int, uint, float
		s.uint()
	case 5, 6: // []byte, string
		s.skip(s.uint())
	case 7: // complex
		s.uint()
		s.uint()
	case 8: // interface: the name of the type, none if nil, the type, a length, the value
		name := s.uint()
		if name == 0 {
			return
		}
		s.skip(name)
		id, known := s.typeID(), len(s.types)
		n, before := s.uint(), len(s.msg)
		s.top(id, depth+1)
		if known == len(s.types) && n != uint64(before-len(s.msg)) {
			panic("wrong length") // gob goes by it if it has no use for the value
		}
	default:
		t, ok := s.types[id]
		if !ok {
			panic("undefined type")
		}
		switch t.form {
		case gobArray, gobSlice:
			s.elements(func() { s.value(t.parts[0], depth+1) })
		case gobStruct:
			s.fields(func(field int) { s.value(t.parts[field], depth+1) })
		case gobMap:
			s.elements(func() {
				s.value(t.parts[0], depth+1)
				s.value(t.parts[1], depth+1)
			})
		default:
			s.skip(s.uint())
		}
	}
}

// fields calls f with the number of each field that follows.
func (s *gobScan) fields(f func(field int)) {
	for field := -1; len(s.msg) > 0; {
		delta := s.uint()
		if delta == 0 {
			return
		}
		field += int(delta)
		f(field)
	}
}

// elements calls f as often as the count that follows says. No element takes less
// than a byte.
func (s *gobScan) elements(f func()) {
	for range s.uint() {
		_ = s.msg[0]
		f()
	}
}

func (s *gobScan) skip(n uint64) { s.msg = s.msg[n:] }

func (s *gobScan) int() int64 {
	n := s.uint()
	return int64(n>>1) ^ -int64(n&1)
}

func (s *gobScan) uint() uint64 {
	first := s.msg[0]
	s.skip(1)
	if first < 0x80 {
		return uint64(first)
	}
	var b [8]byte
	n := -int(int8(first)) // the number of bytes
	copy(b[8-n:], s.msg[:n])
	s.skip(uint64(n))
	return binary.BigEndian.Uint64(b[:])
}
