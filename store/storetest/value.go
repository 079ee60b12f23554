package storetest

import (
	"bytes"
	"crypto/rand"
	"math"
	"strings"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// oddNames are pairwise different. In each pair of neighbours a store may take
// one for the other that trims, folds, splits, escapes, counts or matches.
var oddNames = []string{
	"a", "A", " a", "a ", "a\x00", "\x00a", "\x00", " ", "\n", "a\n", "a\r\n", "\t",
	"*", "?", "[a]", "[^a]", "\\*", "\\", "a*", "%", "_", "%00", "%s%n",
	":", "a:", ":a", "a:a", "a.a", ".", "..", "a/a", "/", "../a", "a|a", "a,a", "a=a",
	"{a}", "{}", "{", "}", "{a}{a}", "'", "\"", "`", "'; --", "$1", "${a}",
	"0", "00", "-0", "1", "01", "1.0", "1e0", "+1", "-1", "0x1", "9007199254740993", "9007199254740992",
	"nil", "null", "NULL", "true", "false", "undefined", "__proto__", "s:a", "t:a", "d:a", "data", "live", "dead",
	"é", "e\u0301", "\u00c9", "\u200b", "\ufeffa", "\u202ea", "漢字", "\U0001f511",
	"\xff", "\xfe", "\xff\xff", "a\xff", "\xc3", "\xc3\x28", "\x80",
	strings.Repeat("a", 1000), strings.Repeat("a", 1001), strings.Repeat("\x00", 1000),
}

var valueCases = []testCase{
	{
		name: "ids of odd bytes",
		rule: "An id is any non-empty string to a store, which gives meaning to none of its bytes.",
		run: func(t *trial) {
			records := t.have(oddNames...)
			t.wantLive(records...)
			t.wantList(records...)
			var kept, gone []store.Record
			for i, r := range records {
				if i%2 == 0 {
					kept = append(kept, r)
					continue
				}
				gone = append(gone, r)
				by := records[i-1].ID
				if _, err := t.Revoke(t.ctx, t.user, r.ID, store.Revocation{Reason: "of " + r.ID, By: by}); err != nil {
					t.Fatalf("Revoke of %q by %q: %v", r.ID, by, err)
				}
				t.wantRevoked(store.Revocation{Reason: "of " + r.ID, By: by}, r)
			}
			t.wantList(kept...)
			t.wantLive(kept...)
			for i, r := range kept {
				kept[i] = renewed(r)
				if err := t.Update(t.ctx, kept[i], r.Secret); err != nil {
					t.Fatalf("Update of %q: %v", r.ID, err)
				}
			}
			t.wantLive(kept...)
			t.ended(store.ErrRevoked, gone[0], gone[len(gone)-1])
			t.revokeAll(kept[2].ID, store.Revocation{}, append(kept[:2:2], kept[3:]...)...)
			t.wantList(kept[2])
		},
	},
	{
		name: "user keys of odd bytes",
		rule: "A user key is any non-empty string to a store, and users are apart, also if ids are the same or keys look alike.",
		run: func(t *trial) {
			var records []store.Record
			base := t.user
			for _, name := range oddNames {
				for _, t.user = range []string{base + name, name + base} {
					records = append(records, t.have("a", base)...)
				}
			}
			t.wantLive(records...)
			for i := 0; i < len(records); i += 2 {
				t.user = records[i].User
				t.wantList(records[i : i+2]...)
				if i%4 == 0 {
					t.revokeAll("", store.Revocation{}, records[i:i+2]...)
				} else {
					t.revokeAll("a", store.Revocation{By: "a"}, records[i+1])
				}
			}
			for i := 0; i < len(records); i += 2 {
				t.user = records[i].User
				if i%4 == 0 {
					t.wantList()
				} else {
					t.wantList(records[i])
				}
			}
		},
	},
	{
		name: "names that run into each other",
		rule: "If the user key ends and the id begins makes a difference: two pairs that spell the same are two sessions.",
		run: func(t *trial) {
			base := t.user
			for _, between := range []string{"", ":", ".", "/", "|", "-", " ", "\x00", "}:"} {
				t.user = base + between + "a"
				one := t.have("b" + between + "c")
				t.user = base + between + "a" + between + "b"
				t.wantList()
				two := t.have("c")
				t.wantLive(append(one, two...)...)
				t.revoke("c")
				t.wantLive(one...)
			}
		},
	},
	{
		name: "bytes of any value",
		rule: "Client and Data are any bytes, and come back as they were given.",
		run: func(t *trial) {
			all := make([]byte, 256)
			for i := range all {
				all[i] = byte(i)
			}
			values := [][]byte{nil, {}, {0}, {0, 0}, []byte("\n"), []byte(" "), []byte("0"), []byte("01"), []byte("1e3"),
				[]byte("\xff\xfe"), []byte("{}"), []byte("null"), []byte("nil"), all}
			for i, v := range values {
				r := t.record("a")
				r.User = newUser()
				r.Client, r.Data = v, values[(i+1)%len(values)]
				t.create(r)
				t.wantLive(r)
				was := r.Secret
				r.Client, r.Data = r.Data, r.Client
				r.Secret = store.Hash(bytes.Repeat([]byte{byte(i)}, len(r.Secret)))
				if err := t.Update(t.ctx, r, was); err != nil {
					t.Fatalf("Update of a live session: %v", err)
				}
				t.wantLive(r)
				if len(v) > 0 {
					r.Client = v
					err := t.Touch(t.ctx, r.User, r.ID, store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt, Client: v})
					t.wantError("Touch of a live session", err, nil)
					t.wantLive(r)
				}
			}
		},
	},
	{
		name: "reasons of odd bytes",
		rule: "Reason and By are any strings to a store, on tombstones and on marks.",
		run: func(t *trial) {
			base := t.user
			for i, reason := range oddNames {
				t.user = base + reason
				by := oddNames[(i+1)%len(oddNames)]
				records := t.have(by, "another")
				why := store.Revocation{Reason: reason, By: by}
				t.revokeAll("", why, records...)
				t.wantMarked(why, t.began("b", time.Time{}))
			}
			t.user = newUser()
			r := t.have("a")[0]
			t.revokeAll("", store.Revocation{By: "a"}, r)
			t.wantMarked(store.Revocation{By: "a"}, t.began("b", time.Time{}))
		},
	},
	{
		name: "much data",
		rule: "A session holds a megabyte of data.",
		run: func(t *trial) {
			r := t.record("a")
			r.Client, r.Data = make([]byte, 1<<16), make([]byte, 1<<20)
			rand.Read(r.Client)
			rand.Read(r.Data)
			t.create(r)
			t.wantLive(r)
			t.wantList(r)
			r.Data = bytes.Clone(r.Data)
			rand.Read(r.Data)
			if err := t.Update(t.ctx, r, r.Secret); err != nil {
				t.Fatalf("Update of a live session: %v", err)
			}
			t.wantLive(r)
			t.revokeAll("", store.Revocation{}, r)
		},
	},
	{
		name: "times of any year",
		rule: "Times are kept to the microsecond or better, from the zero time to the end of the year 9999.",
		run: func(t *trial) {
			end := time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
			times := []time.Time{
				{}, time.Time{}.Add(time.Microsecond), time.Unix(0, 0), time.Unix(-1, 999_999_000), time.Unix(0, 1000),
				time.Date(1601, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(1969, 7, 20, 20, 17, 40, 123_456_000, time.UTC),
				time.Unix(math.MaxInt32, 999_999_999), time.Date(2500, 2, 28, 1, 2, 3, 4_005_006, time.FixedZone("", 5*3600+1800)),
				time.Now(), time.Now().Local(), end,
			}
			for i, at := range times {
				r := t.record("a")
				r.User = newUser()
				r.CreatedAt, r.SeenAt, r.ProvedAt = at, times[(i+1)%len(times)], times[(i+2)%len(times)]
				r.Prev, r.RenewedAt, r.UsedAt = store.HashSecret("before"), times[(i+3)%len(times)], times[(i+4)%len(times)]
				r.ExpiresAt = end.Add(-time.Duration(i) * time.Microsecond)
				if i%2 == 0 {
					r.Deadline = end
				}
				t.create(r)
				t.wantLive(r)
				t.user = r.User
				t.wantList(r)
				r.CreatedAt, r.SeenAt, r.ProvedAt = r.SeenAt, r.ProvedAt, r.CreatedAt
				if err := t.Update(t.ctx, r, r.Secret); err != nil {
					t.Fatalf("Update of a live session: %v", err)
				}
				t.wantLive(r)
				if r.SeenAt.Before(end) {
					r.SeenAt = r.SeenAt.Add(time.Microsecond)
				}
				t.touch("a", store.Touch{SeenAt: r.SeenAt, ExpiresAt: r.ExpiresAt.Add(-time.Microsecond)})
				t.wantLive(r)
				t.revokeAll("", store.Revocation{}, r)
			}
		},
	},
	{
		name: "a year is not a number of nanoseconds",
		rule: "A session that expires beyond what 64 bits of nanoseconds hold is live.",
		run: func(t *trial) {
			for _, year := range []int{2262, 2263, 2300, 2847, 5000, 9999} {
				r := t.record("a")
				r.User = newUser()
				r.ExpiresAt = time.Date(year, 12, 31, 0, 0, 0, 0, time.UTC)
				t.create(r)
				t.wantLive(r)
			}
		},
	},
}
