package codec_test

import (
	"bytes"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/revoke-sessions/revoke/internal/codec"
)

func TestKeepsValueAndType(t *testing.T) {
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
				_, got := roundTrip(t, ours{}, codecDeadline, map[string]any{"key": value})
				if len(got) != 1 || reflect.TypeOf(got["key"]) != reflect.TypeOf(value) || !sameValue(got["key"], value) {
					t.Errorf("%T %.100v came back as %T %.100v", value, value, got["key"], got["key"])
				}
			}
		})
	}
	t.Run("keys", func(t *testing.T) {
		values := map[string]any{"": 1, "a": 2, "\xff\xfe": 3, "\x00": 4, "☃": 5, strings.Repeat("k", 300): 6}
		if _, got := roundTrip(t, ours{}, codecDeadline, values); !reflect.DeepEqual(got, values) {
			t.Errorf("keys came back as %q", slices.Collect(maps.Keys(got)))
		}
	})
	t.Run("deadlines", func(t *testing.T) {
		for _, deadline := range tests["time.Time"] {
			if got, _ := roundTrip(t, ours{}, deadline.(time.Time), nil); !sameValue(got, deadline) {
				t.Errorf("%v came back as %v", deadline, got)
			}
		}
	})
	t.Run("no values are an empty map", func(t *testing.T) {
		for _, values := range []map[string]any{nil, {}} {
			if _, got := roundTrip(t, ours{}, codecDeadline, values); got == nil || len(got) != 0 {
				t.Errorf("%#v came back as %#v", values, got)
			}
			data, _ := scs.GobCodec{}.Encode(codecDeadline, values)
			if _, got, err := codec.Decode(data); err != nil || got == nil || len(got) != 0 {
				t.Errorf("%#v came back from gob as %#v, %v", values, got, err)
			}
		}
	})
	t.Run("a time has no monotonic reading", func(t *testing.T) {
		_, got := roundTrip(t, ours{}, time.Now(), map[string]any{"key": time.Now()})
		if s := got["key"].(time.Time).String(); strings.Contains(s, "m=") {
			t.Error(s)
		}
	})
}

// randomValues covers each kind of value, biased towards what is awkward.
func randomValues(r *rand.Rand) map[string]any {
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

func TestAgreesWithGob(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		deadline, values := codecDeadline.Add(time.Duration(r.Int64())), randomValues(r)

		wantDeadline, want := roundTrip(t, scs.GobCodec{}, deadline, values)
		gotDeadline, got := roundTrip(t, ours{}, deadline, values)
		if !sameValue(gotDeadline, wantDeadline) || !sameValues(got, want) {
			t.Fatalf("seed %d: gob returns\n%v %#v\nbut Codec returns\n%v %#v", seed, wantDeadline, want, gotDeadline, got)
		}
	}
}

func TestReadsGob(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		values := randomValues(r)
		data, err := scs.GobCodec{}.Encode(codecDeadline, values)
		if err != nil {
			t.Fatal(err)
		}
		wantDeadline, want, _ := scs.GobCodec{}.Decode(data)
		gotDeadline, got, err := codec.Decode(data)
		if err != nil || !sameValue(gotDeadline, wantDeadline) || !sameValues(got, want) {
			t.Fatalf("seed %d: gob returns\n%v %#v\nbut Codec returns\n%v %#v, %v", seed, wantDeadline, want, gotDeadline, got, err)
		}
	}
}
