package codec_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/fxamacker/cbor/v2"

	"github.com/revoke-sessions/revoke/internal/codec"
)

// hostileSeeds are data of both formats with everything that they can hold.
func hostileSeeds(t testing.TB) [][]byte {
	var seeds [][]byte
	for _, values := range []map[string]any{
		{},
		{"user": "ada", "n": 4711, "csrf": []byte("0123456789")},
		{"a": int32(1), "b": int64(1 << 40), "c": 1.5, "d": true, "e": nil, "f": codecDeadline, "g": []byte(nil)},
		{"strings": []string{"a", "b"}, "nested": [][]float64{{1}, {2, 3}}, "array": [3]int16{1, 2, 3}},
		{"map": map[string]string{"a": "b"}, "name": codecName("n"), "bomb": codecBomb{1}, "complex": complex(1, 2)},
		{"user": codecUser{Name: "Ada", Roles: []string{"a"}, Since: codecDeadline, Quota: map[string]int{"a": 1}}},
		{"any": codecAny{Held: codecAny{Held: map[string]any{"a": codecName("b"), "c": codecNode{1, &codecNode{2, nil}}}}}},
		{"list": []any{1, "a", nil, codecUser{}, []any{codecNode{}}, map[int]codecUser{1: {}}}},
	} {
		for _, c := range []scs.Codec{ours{}, scs.GobCodec{}} {
			data, err := c.Encode(codecDeadline, values)
			if err != nil {
				t.Fatal(err)
			}
			seeds = append(seeds, data)
		}
	}
	return seeds
}

// decodeHostile decodes data that may be anything. Decode must not panic, and must
// not allocate more than a small multiple of the data's length; the constant is
// for what gob takes to compile a decoder.
func decodeHostile(t *testing.T, data []byte) (deadline time.Time, values map[string]any, err error) {
	t.Helper()
	checkAllocates(t, uint64(64<<10+100*len(data)), data, func() {
		deadline, values, err = codec.Decode(data)
	})
	return deadline, values, err
}

func checkAllocates(t *testing.T, most uint64, data []byte, f func()) {
	t.Helper()
	var allocated uint64
	for range 5 { // something else in the program may have allocated meanwhile
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if allocated = after.TotalAlloc - before.TotalAlloc; allocated <= most {
			return
		}
	}
	t.Errorf("%d bytes made Decode allocate %d: %.200x", len(data), allocated, data)
}

func TestRefuses(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	manyOf := func(value string) string {
		var b strings.Builder
		for i := range 0x1000 {
			fmt.Fprintf(&b, "64%08x%s", i, value)
		}
		return b.String()
	}
	const head = "8301 50 00000000000000010000000280000000 " // and the deadline
	valid, err := codec.Encode(codecDeadline, map[string]any{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	oldValid, err := scs.GobCodec{}.Encode(codecDeadline, map[string]any{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	gobValue := func(v any) []byte {
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(&v); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	inGob := func(stream []byte) []byte {
		pair, _ := cbor.Marshal(map[string]any{"a": []any{"gob", stream}})
		return append(unhex(head), pair...)
	}
	// gobStream is a value of a registered type, by name and in hex, and before it
	// the definitions of types 65 to 67, whose numbers are ff82, ff84 and ff86.
	gobStream := func(name, value string, types ...string) []byte {
		var stream []byte
		for i, definition := range types {
			message := append([]byte{0xff, byte(0x81 + 2*i)}, unhex(definition)...)
			stream = append(append(stream, byte(len(message))), message...)
		}
		message := append([]byte{0x10, 0x00, byte(len(name))}, name...)
		message = append(append(message, 0xff, 0x82, byte(len(unhex(value)))), unhex(value)...)
		return append(append(stream, byte(len(message))), message...)
	}
	const (
		user     = "github.com/revoke-sessions/revoke_test.codecUser"
		users    = "map[int]revoke_test.codecUser"
		quota    = "05 51756f7461"
		counters = "04 01 00 01 0c 01 04 00 00" // a map from string to int
	)
	deep := any(nil)
	for range 5500 {
		deep = []any{deep}
	}

	tests := map[string][]byte{
		"nothing":                          nil,
		"one byte":                         {0x83},
		"an unknown version":               append([]byte{0x83, 2}, valid[2:]...),
		"a version that is not written so": append([]byte{0x83, 0x18, 1}, valid[2:]...),
		"another array":                    append([]byte{0x84}, valid[1:]...),
		"an array of any length":           append(append([]byte{0x9f}, valid[1:]...), 0xff),
		"trailing bytes":                   append(slices.Clone(valid), 0),
		"a second value":                   append(slices.Clone(valid), valid...),
		"the start only":                   valid[:len(valid)-1],
		"a key twice":                      unhex(head + "a2 6161 01 6161 02"),
		"a key twice, longer":              unhex(head + "a2 6161 01 780161 02"),
		"a key that is a number":           unhex(head + "a1 01 01"),
		"a key that is bytes":              unhex(head + "a1 4161 01"),
		"no deadline":                      unhex("8301 f6 a0"),
		"a short deadline":                 unhex("8301 41 00 a0"),
		"values in an array":               unhex(head + "80"),
		"a map of 2^60 pairs":              unhex(head + "bb 1000000000000000 6161 01"),
		"a map of 2^31-1 pairs":            unhex(head + "ba 7fffffff 6161 01"),
		"a text of 1 GB":                   unhex(head + "a1 6161 7a 40000000 61"),
		"bytes of 2^63":                    unhex(head + "a1 6161 5b 8000000000000000 61"),
		"an array of 2^60":                 unhex(head + "a1 6161 9b 1000000000000000 01"),
		"a key of 1 GB":                    unhex(head + "a1 7a 40000000 61 01"),
		"a deadline of 1 GB":               unhex("8301 5a 40000000 00"),
		"an integer beyond int64":          unhex(head + "a1 6161 1b 8000000000000000"),
		"an integer below int64":           unhex(head + "a1 6161 3b 8000000000000000"),
		"a bignum":                         unhex(head + "a1 6161 c2 49 010000000000000000"),
		"a tag":                            unhex(head + "a1 6161 c1 01"),
		"a simple value":                   unhex(head + "a1 6161 e0"),
		"a map as value":                   unhex(head + "a1 6161 a0"),
		"an empty array as value":          unhex(head + "a1 6161 80"),
		"an unknown kind":                  unhex(head + "a1 6161 82 63666f6f 01"),
		"a kind that is a number":          unhex(head + "a1 6161 82 01 01"),
		"a kind with two values":           unhex(head + "a1 6161 83 65696e743332 01 01"),
		"an int32 that is too large":       unhex(head + "a1 6161 82 65696e743332 1a80000000"),
		"an int32 that is text":            unhex(head + "a1 6161 82 65696e743332 6131"),
		"an int64 that is a float":         unhex(head + "a1 6161 82 65696e743634 f93e00"),
		"a short time":                     unhex(head + "a1 6161 82 6474696d65 4101"),
		"a time that is null":              unhex(head + "a1 6161 82 6474696d65 f6"),
		"bytes of any length":              unhex(head + "a1 6161 5f 4101 ff"),
		"arrays in arrays":                 unhex(head + "a1 6161 " + strings.Repeat("81", 100_000) + "01"),
		"many empty maps":                  unhex(head + "b9 1000" + manyOf("90"+strings.Repeat("a0", 16))),
		"many empty arrays":                unhex(head + "b9 1000" + manyOf("90"+strings.Repeat("80", 16))),

		"gob: one byte":                       {0x05},
		"gob: the start only":                 oldValid[:len(oldValid)-1],
		"gob: trailing bytes":                 append(slices.Clone(oldValid), 0),
		"gob: a second value":                 append(slices.Clone(oldValid), oldValid...),
		"gob: a message of 1 GB":              unhex("fc 3fffffff 00"),
		"gob: a message of 9 MB":              unhex("fd 8f0000 00"),
		"gob: a message of 2^63":              unhex("f8 8000000000000000 00"),
		"gob: a length of 100 bytes":          unhex("9c 00"),
		"gob: another struct":                 gobValue(codecUser{}),
		"gob: a value of 2^30 pairs":          bytes.Replace(gobValue(map[string]string{"a": "b"}), unhex("00 01 01 61"), unhex("00 fc40000000 01 61"), 1),
		"gob within: nothing":                 inGob([]byte{}),
		"gob within: trailing bytes":          inGob(append(gobValue("a"), 0)),
		"gob within: not an interface":        inGob(oldValid),
		"gob within: deeper than is sensible": inGob(gobValue(deep)),
		"gob within: a decoder that panics":   inGob(gobValue(codecBomb{0})),
		// Each hides a map of 2^30 pairs where only gob finds it.
		"gob within: a wrong length in a field to skip": inGob(gobStream(user, "01 0161 0c 02 00 06 01fc3fffffff 00",
			"03 01 00 01 02 01 01 58 01 10 00 01 "+quota+" 01 ff84 00 00 00", counters)),
		"gob within: a type that is a struct and a map": inGob(gobStream(users, "00 01 02 02 fc3fffffff 00 00 00", "04 01 00 01 04 01 ff84 00 00",
			"03 01 00 01 02 01 01 58 01 04 00 01 "+quota+" 01 ff86 00 00 01 01 00 01 04 01 04 00 00", counters)),
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			if _, values, err := decodeHostile(t, data); err == nil {
				t.Errorf("decoded to %.200v", values)
			}
		})
	}
}

// Every count is some byte of the data. This puts a huge count, and other bytes
// that make trouble, in the place of each byte of data that is otherwise as it
// should be: instead of it, and over it and what follows, where lengths still fit.
func TestSurvivesCorruption(t *testing.T) {
	trouble := [][]byte{
		{}, {0x00}, {0x01}, {0x7f}, {0x80}, {0xff}, {0xa0}, // of both formats
		{0xfd, 0x10, 0, 0}, {0xfc, 0x01, 0, 0, 0}, {0xfc, 0x3f, 0xff, 0xff, 0xff}, {0xfb, 0x10, 0, 0, 0, 0}, // gob
		{0xf8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x5a, 0x3f, 0xff, 0xff, 0xff}, {0x7b, 0, 0, 0, 0, 0x40, 0, 0, 0}, {0x9a, 0x3f, 0xff, 0xff, 0xff}, {0xba, 0x3f, 0xff, 0xff, 0xff}, // CBOR
	}
	for _, seed := range hostileSeeds(t) {
		for i := range seed {
			var corrupt [][]byte
			for _, bad := range trouble {
				corrupt = append(corrupt, slices.Concat(seed[:i], bad, seed[i+1:]))
				if end := i + len(bad); len(bad) > 1 && end <= len(seed) {
					corrupt = append(corrupt, slices.Concat(seed[:i], bad, seed[end:]))
				}
			}
			// Together, since measuring takes longer than decoding does.
			checkAllocates(t, uint64(4<<20), slices.Concat(corrupt...), func() {
				for _, data := range corrupt {
					codec.Decode(data)
				}
			})
			if t.Failed() {
				t.Fatalf("byte %d of %x", i, seed)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range hostileSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		deadline, values, err := decodeHostile(t, data)
		if err != nil {
			return
		}
		again, err := codec.Encode(deadline, values)
		if err != nil {
			t.Fatalf("%#v was decoded, and does not encode: %v", values, err)
		}
		deadlineAgain, valuesAgain, err := codec.Decode(again)
		if err != nil || !sameValue(deadline, deadlineAgain) || len(values) != len(valuesAgain) {
			t.Fatalf("%v %#v came back as %v %#v, %v", deadline, values, deadlineAgain, valuesAgain, err)
		}
		for key, value := range values {
			// Within a value, a NaN differs from itself, and gob makes nil of what is empty.
			if got, ok := valuesAgain[key]; !ok || reflect.TypeOf(got) != reflect.TypeOf(value) ||
				!sameValue(got, value) && !strings.Contains(fmt.Sprintf("%#v", value), "NaN") {
				t.Fatalf("%#v came back as %#v", value, got)
			}
		}
	})
}
