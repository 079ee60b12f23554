package revoke_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/fxamacker/cbor/v2"

	"github.com/revoke-sessions/revoke"
)

// The types that an application registers with gob. codecNode and codecAny are
// made so that gob spreads their definitions over the stream in each of the ways
// that it has.
type (
	codecUser struct {
		Name  string
		Roles []string
		Since time.Time
		Quota map[string]int
	}
	codecNode struct {
		Value int
		Next  *codecNode
	}
	codecAny struct {
		Held  any
		Count uint8
	}
	codecName string
	codecBomb struct{ Fuse byte }
)

func (b codecBomb) GobEncode() ([]byte, error) { return []byte{b.Fuse}, nil }

// GobDecode relies on its input, as many do.
func (b *codecBomb) GobDecode(data []byte) error {
	if data[0] == 0 {
		panic("boom")
	}
	b.Fuse = data[0]
	return nil
}

func init() {
	for _, v := range []any{
		codecUser{}, codecNode{}, codecAny{}, codecName(""), codecBomb{}, time.Time{}, time.Duration(0),
		map[string]string{}, map[string]any{}, []any{}, [3]int16{}, [][]float64{}, map[int]codecUser{},
	} {
		gob.Register(v)
	}
}

var codecDeadline = time.Date(2031, 2, 3, 4, 5, 6, 789, time.UTC)

// sameCodecValue is reflect.DeepEqual, with times compared by instant and offset,
// and a NaN equal to another.
func sameCodecValue(a, b any) bool {
	switch a := a.(type) {
	case time.Time:
		b, ok := b.(time.Time)
		if !ok {
			return false
		}
		_, offsetA := a.Zone()
		_, offsetB := b.Zone()
		return a.Equal(b) && offsetA == offsetB && (a.Location() == time.UTC) == (b.Location() == time.UTC)
	case float64:
		b, ok := b.(float64)
		return ok && (math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b))
	}
	return reflect.DeepEqual(a, b)
}

func sameCodecValues(a, b map[string]any) bool {
	return maps.EqualFunc(a, b, sameCodecValue)
}

func codecRoundTrip(t *testing.T, c scs.Codec, deadline time.Time, values map[string]any) (time.Time, map[string]any) {
	t.Helper()
	data, err := c.Encode(deadline, values)
	if err != nil {
		t.Fatalf("encode %#v: %v", values, err)
	}
	deadline, values, err = c.Decode(data)
	if err != nil {
		t.Fatalf("decode %x: %v", data, err)
	}
	return deadline, values
}

func TestCodecKeepsValueAndType(t *testing.T) {
	zone := func(seconds int) time.Time { return codecDeadline.In(time.FixedZone("somewhere", seconds)) }
	tests := map[string][]any{
		"nil":     {nil},
		"bool":    {true, false},
		"int":     {0, 1, -1, 23, 24, -24, -25, 255, 256, math.MaxInt, math.MinInt},
		"int32":   {int32(0), int32(-1), int32(math.MaxInt32), int32(math.MinInt32)},
		"int64":   {int64(0), int64(-1), int64(math.MaxInt64), int64(math.MinInt64)},
		"float64": {0.0, math.Copysign(0, -1), 1.0, 0.1, -1e300, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(), 65504.0, 1 << 53},
		"string":  {"", "a", "naïve ☃", "\x00", "not \xff UTF-8 \xc3", strings.Repeat("long", 100_000)},
		"[]byte":  {[]byte(nil), []byte{}, []byte{0}, []byte("\xff\x00"), bytes.Repeat([]byte{7}, 100_000)},
		"time.Time": {
			time.Time{}, time.Unix(0, 0), time.Unix(0, 0).UTC(), codecDeadline, codecDeadline.Local(), time.Now(),
			zone(0), zone(-60), zone(1), zone(-1), zone(5*3600 + 45*60), zone(-17762), zone(14 * 3600),
			time.Date(-290000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(290000, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
			time.Unix(math.MaxInt64, 0).UTC(), time.Unix(math.MinInt64, 999_999_999).UTC(),
		},
		"through gob": {
			uint(7), uint8(7), uint16(7), uint32(7), uint64(math.MaxUint64), int8(-7), int16(-7), float32(0.1),
			complex(1, -1), uintptr(7), []string{"a", ""}, []int{1, -1}, []bool{true}, time.Duration(5), codecName("x"),
			map[string]string{"a": "b"}, map[string]any{"a": codecAny{Held: codecName("b")}, "c": nil},
			[]any{1, "a", nil, codecNode{Value: 1}, []any{codecName("deep")}}, [3]int16{1, -2, 3}, [][]float64{{1}, nil, {2, 3}},
			codecUser{Name: "Ada", Roles: []string{"admin"}, Since: codecDeadline, Quota: map[string]int{"a": 1 << 40}},
			codecNode{1, &codecNode{2, &codecNode{3, nil}}}, codecAny{Held: codecAny{Held: codecAny{Held: []any{codecName("a")}}}, Count: 9},
			codecBomb{1}, map[int]codecUser{-1: {Name: "B"}},
		},
	}
	for name, values := range tests {
		t.Run(name, func(t *testing.T) {
			for _, value := range values {
				_, got := codecRoundTrip(t, revoke.Codec{}, codecDeadline, map[string]any{"key": value})
				if len(got) != 1 || reflect.TypeOf(got["key"]) != reflect.TypeOf(value) || !sameCodecValue(got["key"], value) {
					t.Errorf("%T %.100v came back as %T %.100v", value, value, got["key"], got["key"])
				}
			}
		})
	}
	t.Run("keys", func(t *testing.T) {
		values := map[string]any{"": 1, "a": 2, "\xff\xfe": 3, "\x00": 4, "☃": 5, strings.Repeat("k", 300): 6}
		if _, got := codecRoundTrip(t, revoke.Codec{}, codecDeadline, values); !reflect.DeepEqual(got, values) {
			t.Errorf("keys came back as %q", slices.Collect(maps.Keys(got)))
		}
	})
	t.Run("deadlines", func(t *testing.T) {
		for _, deadline := range tests["time.Time"] {
			if got, _ := codecRoundTrip(t, revoke.Codec{}, deadline.(time.Time), nil); !sameCodecValue(got, deadline) {
				t.Errorf("%v came back as %v", deadline, got)
			}
		}
	})
	t.Run("no values are an empty map", func(t *testing.T) {
		for _, values := range []map[string]any{nil, {}} {
			if _, got := codecRoundTrip(t, revoke.Codec{}, codecDeadline, values); got == nil || len(got) != 0 {
				t.Errorf("%#v came back as %#v", values, got)
			}
			data, _ := scs.GobCodec{}.Encode(codecDeadline, values)
			if _, got, err := (revoke.Codec{}).Decode(data); err != nil || got == nil || len(got) != 0 {
				t.Errorf("%#v came back from gob as %#v, %v", values, got, err)
			}
		}
	})
	t.Run("a time has no monotonic reading", func(t *testing.T) {
		_, got := codecRoundTrip(t, revoke.Codec{}, time.Now(), map[string]any{"key": time.Now()})
		if s := got["key"].(time.Time).String(); strings.Contains(s, "m=") {
			t.Error(s)
		}
	})
}

// randomCodecValues covers each kind of value, biased towards what is awkward.
func randomCodecValues(r *rand.Rand) map[string]any {
	text := func() string {
		b := make([]byte, r.IntN(1<<r.IntN(9)))
		for i := range b {
			b[i] = byte(r.Uint32())
			if len(b)%2 == 0 {
				b[i] = 'a' + b[i]%26
			}
		}
		return string(b)
	}
	number := func() int64 { return int64(r.Uint64()) >> r.IntN(64) }
	instant := func() time.Time {
		t := time.Unix(number()>>16, r.Int64N(1e9))
		switch r.IntN(3) {
		case 0:
			return t
		case 1:
			return t.UTC()
		}
		return t.In(time.FixedZone("", 60*(2+r.IntN(900))))
	}
	values := make(map[string]any)
	for range r.IntN(12) {
		var value any
		switch r.IntN(17) {
		case 0:
			value = r.IntN(2) == 0
		case 1, 2:
			value = int(number())
		case 3:
			value = int32(number())
		case 4:
			value = number()
		case 5:
			value = math.Float64frombits(r.Uint64())
		case 6:
			value = float64(number())
		case 7, 8:
			value = text()
		case 9:
			value = []byte(text() + "x") // gob has no empty []byte, only nil
		case 10:
			value = instant()
		case 11: // nil
		case 12:
			value = uint32(number())
		case 13:
			value = []string{text(), text()}
		case 14:
			value = codecUser{Name: text(), Since: instant().UTC(), Quota: map[string]int{text(): int(number()), text(): 1}}
		case 15:
			value = codecAny{Held: []any{text(), number(), codecName(text())}, Count: uint8(number())}
		case 16:
			value = map[string]any{text(): codecAny{Held: codecName(text())}, text(): codecNode{Value: 1}}
		}
		values[text()] = value
	}
	return values
}

func TestCodecAgreesWithGob(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		deadline, values := codecDeadline.Add(time.Duration(r.Int64())), randomCodecValues(r)

		wantDeadline, want := codecRoundTrip(t, scs.GobCodec{}, deadline, values)
		gotDeadline, got := codecRoundTrip(t, revoke.Codec{}, deadline, values)
		if !sameCodecValue(gotDeadline, wantDeadline) || !sameCodecValues(got, want) {
			t.Fatalf("seed %d: gob returns\n%v %#v\nwhere Codec returns\n%v %#v", seed, wantDeadline, want, gotDeadline, got)
		}
	}
}

func TestCodecReadsGob(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		values := randomCodecValues(r)
		data, err := scs.GobCodec{}.Encode(codecDeadline, values)
		if err != nil {
			t.Fatal(err)
		}
		wantDeadline, want, _ := scs.GobCodec{}.Decode(data)
		gotDeadline, got, err := revoke.Codec{}.Decode(data)
		if err != nil || !sameCodecValue(gotDeadline, wantDeadline) || !sameCodecValues(got, want) {
			t.Fatalf("seed %d: gob returns\n%v %#v\nwhere Codec returns\n%v %#v, %v", seed, wantDeadline, want, gotDeadline, got, err)
		}
	}
}

func TestCodecIsDeterministic(t *testing.T) {
	values := make(map[string]any)
	for i := range 100 {
		values[strings.Repeat("k", i%7)+fmt.Sprint(i)] = []any{i, int32(i), int64(i), float64(i), fmt.Sprint(i), []byte{byte(i)}, codecDeadline, uint8(i)}[i%8]
	}
	want, err := revoke.Codec{}.Encode(codecDeadline, values)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		shuffled := make(map[string]any)
		for key, value := range values {
			shuffled[key] = value
		}
		if got, _ := (revoke.Codec{}).Encode(codecDeadline, shuffled); !bytes.Equal(got, want) {
			t.Fatalf("equal values gave\n%x\nand\n%x", want, got)
		}
	}

	t.Run("what was decoded encodes to the same bytes", func(t *testing.T) {
		for _, seconds := range []int{0, -60, 1, -1, -17762} { // local mean time in New York is the last
			values["time"] = time.Time{}.In(time.FixedZone("LMT", seconds))
			data, _ := revoke.Codec{}.Encode(codecDeadline, values)
			deadline, values, err := revoke.Codec{}.Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if again, _ := (revoke.Codec{}).Encode(deadline, values); !bytes.Equal(again, data) {
				t.Errorf("with offset %d,\n%x\nbecame\n%x", seconds, data, again)
			}
		}
	})
	t.Run("different values give different bytes", func(t *testing.T) {
		seen := make(map[string]any)
		for _, value := range []any{
			nil, 1, int32(1), int64(1), 1.0, true, "1", []byte("1"), []byte(nil), []byte{}, "", 0, 0.0, math.Copysign(0, -1),
			codecDeadline, codecDeadline.In(time.FixedZone("", 0)), codecDeadline.Add(1), uint(1), float32(1),
		} {
			data, _ := revoke.Codec{}.Encode(codecDeadline, map[string]any{"key": value})
			if other, ok := seen[string(data)]; ok {
				t.Errorf("%T %v and %T %v both give %x", value, value, other, other, data)
			}
			seen[string(data)] = value
		}
	})
}

// What is written today has to be read for as long as a session lives.
func TestCodecFormat(t *testing.T) {
	values := map[string]any{
		"nil": nil, "yes": true, "int": -5, "int32": int32(5), "int64": int64(5), "float": 1.5, "text": "é",
		"bytes": []byte{1}, "nobytes": []byte(nil), "utc": time.Unix(1, 2).UTC(), "east": time.Unix(1, 2).In(time.FixedZone("", 3600)),
	}
	const utc, east = "00000000000000010000000280000000", "00000000000000010000000200000e10"
	want := "8301" + "50" + utc + "ab" +
		"63696e74" + "24" +
		"636e696c" + "f6" +
		"63757463" + "82" + "6474696d65" + "50" + utc +
		"63796573" + "f5" +
		"6465617374" + "82" + "6474696d65" + "50" + east +
		"6474657874" + "62c3a9" +
		"656279746573" + "4101" +
		"65666c6f6174" + "f93e00" +
		"65696e743332" + "82" + "65696e743332" + "05" +
		"65696e743634" + "82" + "65696e743634" + "05" +
		"676e6f6279746573" + "82" + "656279746573" + "f6"

	got, err := revoke.Codec{}.Encode(time.Unix(1, 2).UTC(), values)
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("encoded as\n%x, %v, want\n%s", got, err, want)
	}
	if err := cbor.Wellformed(got); err != nil {
		t.Error(err)
	}
}

func TestCodecLeavesTheCallersMapAlone(t *testing.T) {
	values := map[string]any{"a": int64(1), "b": codecDeadline, "c": uint8(1), "d": "text", "e": []byte(nil)}
	want := maps.Clone(values)
	if _, err := (revoke.Codec{}).Encode(codecDeadline, values); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(values, want) {
		t.Errorf("encoding made %v of %v", values, want)
	}

	data, _ := revoke.Codec{}.Encode(codecDeadline, map[string]any{"key": []byte("mine")})
	_, got, _ := revoke.Codec{}.Decode(data)
	clear(data)
	if string(got["key"].([]byte)) != "mine" {
		t.Error("what was decoded shares memory with the data")
	}
}

func TestCodecTypeNotRegistered(t *testing.T) {
	type unregistered struct{ A int }
	for _, value := range []any{unregistered{}, &unregistered{}, (*codecUser)(nil), func() {}, make(chan int), map[string]any{"a": unregistered{}}} {
		values := map[string]any{"key": value}
		_, want := scs.GobCodec{}.Encode(codecDeadline, values)
		_, got := revoke.Codec{}.Encode(codecDeadline, values)
		if want == nil || got == nil || !strings.HasSuffix(got.Error(), want.Error()) {
			t.Errorf("%T gives %v, where gob gives %v", value, got, want)
		}
	}
}

func TestCodecHoldsMuch(t *testing.T) {
	many := make(map[string]any)
	for i := range 132_000 {
		many[fmt.Sprint("key", i)] = i
	}
	for name, values := range map[string]map[string]any{
		"132,000 keys":        many,
		"a text of 10 MB":     {"text": strings.Repeat("x", 10<<20)},
		"a gob value of 1 MB": {"gob": []string{strings.Repeat("x", 1<<20)}},
		"a list of 3000 nodes": {"list": func() (n codecNode) {
			for i := range 3000 {
				next := n
				n = codecNode{i, &next}
			}
			return n
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := codecRoundTrip(t, revoke.Codec{}, codecDeadline, values); !reflect.DeepEqual(got, values) {
				t.Error("did not come back as it was")
			}
			data, _ := scs.GobCodec{}.Encode(codecDeadline, values)
			if _, got, err := (revoke.Codec{}).Decode(data); err != nil || !reflect.DeepEqual(got, values) {
				t.Errorf("did not come back from gob as it was: %v", err)
			}
		})
	}
}

// codecSeeds are data of both formats with everything that they can hold.
func codecSeeds(t testing.TB) [][]byte {
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
		for _, c := range []scs.Codec{revoke.Codec{}, scs.GobCodec{}} {
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
	checkCodecAllocates(t, uint64(64<<10+100*len(data)), data, func() {
		deadline, values, err = revoke.Codec{}.Decode(data)
	})
	return deadline, values, err
}

func checkCodecAllocates(t *testing.T, most uint64, data []byte, f func()) {
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

func TestCodecRefuses(t *testing.T) {
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
	valid, err := revoke.Codec{}.Encode(codecDeadline, map[string]any{"a": 1})
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
			} else if !strings.HasPrefix(err.Error(), "revoke: decode session data: ") {
				t.Errorf("error %q does not say what was being done", err)
			}
		})
	}
}

// Every count is some byte of the data. This puts a huge count, and other bytes
// that make trouble, in the place of each byte of data that is otherwise as it
// should be: instead of it, and over it and what follows, where lengths still fit.
func TestCodecSurvivesCorruption(t *testing.T) {
	trouble := [][]byte{
		{}, {0x00}, {0x01}, {0x7f}, {0x80}, {0xff}, {0xa0}, // of both formats
		{0xfd, 0x10, 0, 0}, {0xfc, 0x01, 0, 0, 0}, {0xfc, 0x3f, 0xff, 0xff, 0xff}, {0xfb, 0x10, 0, 0, 0, 0}, // gob
		{0xf8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0x5a, 0x3f, 0xff, 0xff, 0xff}, {0x7b, 0, 0, 0, 0, 0x40, 0, 0, 0}, {0x9a, 0x3f, 0xff, 0xff, 0xff}, {0xba, 0x3f, 0xff, 0xff, 0xff}, // CBOR
	}
	for _, seed := range codecSeeds(t) {
		for i := range seed {
			var corrupt [][]byte
			for _, bad := range trouble {
				corrupt = append(corrupt, slices.Concat(seed[:i], bad, seed[i+1:]))
				if end := i + len(bad); len(bad) > 1 && end <= len(seed) {
					corrupt = append(corrupt, slices.Concat(seed[:i], bad, seed[end:]))
				}
			}
			// Together, since measuring takes longer than decoding does.
			checkCodecAllocates(t, uint64(4<<20), slices.Concat(corrupt...), func() {
				for _, data := range corrupt {
					revoke.Codec{}.Decode(data)
				}
			})
			if t.Failed() {
				t.Fatalf("byte %d of %x", i, seed)
			}
		}
	}
}

func FuzzCodecDecode(f *testing.F) {
	for _, seed := range codecSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		deadline, values, err := decodeHostile(t, data)
		if err != nil {
			return
		}
		again, err := revoke.Codec{}.Encode(deadline, values)
		if err != nil {
			t.Fatalf("%#v was decoded, and does not encode: %v", values, err)
		}
		deadlineAgain, valuesAgain, err := revoke.Codec{}.Decode(again)
		if err != nil || !sameCodecValue(deadline, deadlineAgain) || len(values) != len(valuesAgain) {
			t.Fatalf("%v %#v came back as %v %#v, %v", deadline, values, deadlineAgain, valuesAgain, err)
		}
		for key, value := range values {
			// Within a value, a NaN differs from itself, and gob makes nil of what is empty.
			if got, ok := valuesAgain[key]; !ok || reflect.TypeOf(got) != reflect.TypeOf(value) ||
				!sameCodecValue(got, value) && !strings.Contains(fmt.Sprintf("%#v", value), "NaN") {
				t.Fatalf("%#v came back as %#v", value, got)
			}
		}
	})
}

func TestCodecIsSafeForConcurrentUse(t *testing.T) {
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 3))
			for range 100 {
				values := randomCodecValues(r)
				data, err := revoke.Codec{}.Encode(codecDeadline, values)
				if err != nil {
					t.Error(err)
					return
				}
				if _, got, err := (revoke.Codec{}).Decode(data); err != nil || len(got) != len(values) {
					t.Errorf("%v came back as %v, %v", values, got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestCodecWithScsAlone(t *testing.T) {
	sm := scs.New() // the codec of the sessions that are there already
	mux := http.NewServeMux()
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "string", "ada")
		sm.Put(r.Context(), "int", 4711)
		sm.Put(r.Context(), "int32", int32(-5))
		sm.Put(r.Context(), "int64", int64(1<<40))
		sm.Put(r.Context(), "float", 1.5)
		sm.Put(r.Context(), "bool", true)
		sm.Put(r.Context(), "bytes", []byte("\xff"))
		sm.Put(r.Context(), "time", codecDeadline)
		sm.Put(r.Context(), "struct", codecUser{Name: "Ada"})
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		fmt.Fprint(w, sm.GetString(ctx, "string"), sm.GetInt(ctx, "int"), sm.GetInt32(ctx, "int32"), sm.GetInt64(ctx, "int64"),
			sm.GetFloat(ctx, "float"), sm.GetBool(ctx, "bool"), sm.GetBytes(ctx, "bytes"), sm.GetTime(ctx, "time"), sm.Get(ctx, "struct").(codecUser).Name)
	})
	const want = "ada4711 -5 1099511627776 1.5 true [255] 2031-02-03 04:05:06.000000789 +0000 UTCAda"

	for _, written := range []scs.Codec{revoke.Codec{}, scs.GobCodec{}} {
		t.Run(fmt.Sprintf("written by %T", written), func(t *testing.T) {
			srv := httptest.NewServer(sm.LoadAndSave(mux))
			defer srv.Close()
			jar, _ := cookiejar.New(nil)
			client := srv.Client()
			client.Jar = jar

			sm.Codec = written
			resp, err := client.Post(srv.URL, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()

			sm.Codec = revoke.Codec{}
			for range 2 {
				resp, err := client.Get(srv.URL)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK || string(body) != want {
					t.Errorf("got %d %q, want %q", resp.StatusCode, body, want)
				}
			}
		})
	}
}

// Codec works with scs alone, and reads the sessions that are there already.
func ExampleCodec() {
	sm := scs.New()
	sm.Codec = revoke.Codec{}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /visit", func(w http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "visits", sm.GetInt(r.Context(), "visits")+1)
	})
	mux.HandleFunc("GET /visits", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, sm.GetInt(r.Context(), "visits"))
	})
	srv := httptest.NewServer(sm.LoadAndSave(mux))
	defer srv.Close()

	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar}
	for range 2 {
		if resp, err := client.Post(srv.URL+"/visit", "", nil); err == nil {
			resp.Body.Close()
		}
	}
	resp, err := client.Get(srv.URL + "/visits")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	visits, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s visits\n", visits)
	// Output: 2 visits
}

func BenchmarkCodec(b *testing.B) {
	many := make(map[string]any)
	for i := range 1000 {
		many[fmt.Sprint("key", i)] = strings.Repeat("x", i%50)
	}
	for _, session := range []struct {
		name   string
		values map[string]any
	}{
		{"three", map[string]any{"userID": "8c4c1f1e-7b1c", "visits": 4711, "csrf": "abcdefghijklmnopqrstuvwxyz012345"}},
		{"kinds", map[string]any{"id": int64(1 << 40), "seen": codecDeadline, "key": []byte("0123456789abcdef"), "ok": true}},
		{"struct", map[string]any{"user": codecUser{Name: "Ada", Roles: []string{"admin"}, Since: codecDeadline}}},
		{"thousand", many},
	} {
		for _, codec := range []scs.Codec{revoke.Codec{}, scs.GobCodec{}} {
			data, err := codec.Encode(codecDeadline, session.values)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("decode/%s/%T", session.name, codec), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					codec.Decode(data)
				}
			})
			b.Run(fmt.Sprintf("encode/%s/%T", session.name, codec), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					codec.Encode(codecDeadline, session.values)
				}
			})
		}
	}
}
