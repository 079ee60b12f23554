package codec_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/fxamacker/cbor/v2"
	"github.com/revoke-sessions/revoke/internal/codec"
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

// ours is the codec under test as scs has it.
type ours struct{}

func (ours) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return codec.Encode(deadline, values)
}
func (ours) Decode(data []byte) (time.Time, map[string]any, error) { return codec.Decode(data) }

var codecDeadline = time.Date(2031, 2, 3, 4, 5, 6, 789, time.UTC)

// sameValue is reflect.DeepEqual, with times compared by instant and offset,
// and a NaN equal to another.
func sameValue(a, b any) bool {
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

func sameValues(a, b map[string]any) bool {
	return maps.EqualFunc(a, b, sameValue)
}

func roundTrip(t *testing.T, c scs.Codec, deadline time.Time, values map[string]any) (time.Time, map[string]any) {
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

func TestIsDeterministic(t *testing.T) {
	values := make(map[string]any)
	for i := range 100 {
		values[strings.Repeat("k", i%7)+fmt.Sprint(i)] = []any{i, int32(i), int64(i), float64(i), fmt.Sprint(i), []byte{byte(i)}, codecDeadline, uint8(i)}[i%8]
	}
	want, err := codec.Encode(codecDeadline, values)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		shuffled := make(map[string]any)
		for key, value := range values {
			shuffled[key] = value
		}
		if got, _ := codec.Encode(codecDeadline, shuffled); !bytes.Equal(got, want) {
			t.Fatalf("equal values gave\n%x\nand\n%x", want, got)
		}
	}

	t.Run("what was decoded encodes to the same bytes", func(t *testing.T) {
		for _, seconds := range []int{0, -60, 1, -1, -17762} { // local mean time in New York is the last
			values["time"] = time.Time{}.In(time.FixedZone("LMT", seconds))
			data, _ := codec.Encode(codecDeadline, values)
			deadline, values, err := codec.Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if again, _ := codec.Encode(deadline, values); !bytes.Equal(again, data) {
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
			data, _ := codec.Encode(codecDeadline, map[string]any{"key": value})
			if other, ok := seen[string(data)]; ok {
				t.Errorf("%T %v and %T %v both give %x", value, value, other, other, data)
			}
			seen[string(data)] = value
		}
	})
}

// What is written today has to be read for as long as a session lives.
func TestFormat(t *testing.T) {
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

	got, err := codec.Encode(time.Unix(1, 2).UTC(), values)
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("encoded as\n%x, %v, want\n%s", got, err, want)
	}
	if err := cbor.Wellformed(got); err != nil {
		t.Error(err)
	}
}

func TestLeavesTheCallersMapAlone(t *testing.T) {
	values := map[string]any{"a": int64(1), "b": codecDeadline, "c": uint8(1), "d": "text", "e": []byte(nil)}
	want := maps.Clone(values)
	if _, err := codec.Encode(codecDeadline, values); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(values, want) {
		t.Errorf("encoding made %v of %v", values, want)
	}

	data, _ := codec.Encode(codecDeadline, map[string]any{"key": []byte("mine")})
	_, got, _ := codec.Decode(data)
	clear(data)
	if string(got["key"].([]byte)) != "mine" {
		t.Error("what was decoded shares memory with the data")
	}
}

func TestTypeNotRegistered(t *testing.T) {
	type unregistered struct{ A int }
	for _, value := range []any{unregistered{}, &unregistered{}, (*codecUser)(nil), func() {}, make(chan int), map[string]any{"a": unregistered{}}} {
		values := map[string]any{"key": value}
		_, want := scs.GobCodec{}.Encode(codecDeadline, values)
		_, got := codec.Encode(codecDeadline, values)
		if want == nil || got == nil || !strings.HasSuffix(got.Error(), want.Error()) {
			t.Errorf("%T gives %v, where gob gives %v", value, got, want)
		}
	}
}

func TestHoldsMuch(t *testing.T) {
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
			if _, got := roundTrip(t, ours{}, codecDeadline, values); !reflect.DeepEqual(got, values) {
				t.Error("did not come back as it was")
			}
			data, _ := scs.GobCodec{}.Encode(codecDeadline, values)
			if _, got, err := codec.Decode(data); err != nil || !reflect.DeepEqual(got, values) {
				t.Errorf("did not come back from gob as it was: %v", err)
			}
		})
	}
}

func TestIsSafeForConcurrentUse(t *testing.T) {
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 3))
			for range 100 {
				values := randomValues(r)
				data, err := codec.Encode(codecDeadline, values)
				if err != nil {
					t.Error(err)
					return
				}
				if _, got, err := codec.Decode(data); err != nil || len(got) != len(values) {
					t.Errorf("%v came back as %v, %v", values, got, err)
				}
			}
		})
	}
	wg.Wait()
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
		for _, c := range []scs.Codec{ours{}, scs.GobCodec{}} {
			data, err := c.Encode(codecDeadline, session.values)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("decode/%s/%T", session.name, c), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.Decode(data)
				}
			})
			b.Run(fmt.Sprintf("encode/%s/%T", session.name, c), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.Encode(codecDeadline, session.values)
				}
			})
		}
	}
}
