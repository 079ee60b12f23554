package memcachestore

import (
	"reflect"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// FuzzDecode checks that what can be read is written the same, and that nothing
// panics.
func FuzzDecode(f *testing.F) {
	early, late := time.UnixMicro(0).UTC(), time.Date(9999, 1, 2, 3, 4, 5, 6000, time.UTC)
	why := &store.Revocation{At: early, Reason: "a reason", By: "b"}
	a := &account{
		key: "user",
		sessions: []store.Record{
			{User: "user", ID: "a", Secret: store.HashSecret("a"), ExpiresAt: late, Client: []byte("client"), Data: []byte("data")},
			{User: "user", ID: "b", ExpiresAt: late, Deadline: late, Prev: store.HashSecret("b"), RenewedAt: early, UsedAt: late},
		},
		tombstones: []store.Record{{User: "user", ID: "c", ExpiresAt: late, Prev: store.HashSecret("c"), Revoked: why}},
		onces:      []once{{"d", late}},
		mark:       &store.Revocation{At: early, Until: late},
	}
	value, expires := a.encode()
	if !expires.Equal(late) {
		f.Fatalf("the last expires at %v", expires)
	}
	if got, err := decode("user", value, early); err != nil || !reflect.DeepEqual(got, a) {
		f.Fatalf("decode returned\n%+v, %v, want\n%+v", got, err, a)
	}
	for i := range value {
		if _, err := decode("user", value[:i], early); err == nil {
			f.Fatalf("decode of the first %d of %d bytes returned no error", i, len(value))
		}
	}
	if _, err := decode("user", append(value, 0), early); err == nil {
		f.Fatal("decode of a byte too many returned no error")
	}
	if got, err := decode("user", value, late); err != nil || !reflect.DeepEqual(got, &account{key: "user"}) {
		f.Fatalf("decode when all has expired returned %+v, %v", got, err)
	}
	f.Add(value)
	f.Fuzz(func(t *testing.T, value []byte) {
		never := time.UnixMicro(-1 << 63)
		a, err := decode("user", value, never)
		if err != nil {
			return
		}
		again, _ := a.encode()
		b, err := decode("user", again, never)
		if err != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("read\n%+v, and after that\n%+v, %v", a, b, err)
		}
	})
}
