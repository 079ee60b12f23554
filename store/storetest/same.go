package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/revoke-sessions/revoke/store"
)

// wantSame checks every field of a record.
func (t *trial) wantSame(call string, got, want store.Record) {
	t.Helper()
	var wrong []string
	check := func(same bool, field string, got, want any) {
		if !same {
			wrong = append(wrong, fmt.Sprintf("%s is %.200q, want %.200q", field, fmt.Sprint(got), fmt.Sprint(want)))
		}
	}
	check(got.User == want.User, "User", got.User, want.User)
	check(got.ID == want.ID, "ID", got.ID, want.ID)
	check(got.Secret == want.Secret, "Secret", fmt.Sprintf("%x", got.Secret), fmt.Sprintf("%x", want.Secret))
	check(got.Prev == want.Prev, "Prev", fmt.Sprintf("%x", got.Prev), fmt.Sprintf("%x", want.Prev))
	check(sameTime(got.RenewedAt, want.RenewedAt), "RenewedAt", got.RenewedAt, want.RenewedAt)
	check(sameTime(got.UsedAt, want.UsedAt), "UsedAt", got.UsedAt, want.UsedAt)
	check(sameTime(got.CreatedAt, want.CreatedAt), "CreatedAt", got.CreatedAt, want.CreatedAt)
	check(sameTime(got.SeenAt, want.SeenAt), "SeenAt", got.SeenAt, want.SeenAt)
	check(sameTime(got.ProvedAt, want.ProvedAt), "ProvedAt", got.ProvedAt, want.ProvedAt)
	check(sameTime(got.ExpiresAt, want.ExpiresAt), "ExpiresAt", got.ExpiresAt, want.ExpiresAt)
	check(sameTime(got.Deadline, want.Deadline), "Deadline", got.Deadline, want.Deadline)
	check(got.Once.IsZero(), "Once", got.Once, time.Time{})
	check(bytes.Equal(got.Client, want.Client), "Client", string(got.Client), string(want.Client))
	check(bytes.Equal(got.Data, want.Data), "Data", string(got.Data), string(want.Data))
	switch g, w := got.Revoked, want.Revoked; {
	case g != nil && w != nil:
		check(sameTime(g.At, w.At), "Revoked.At", g.At, w.At)
		check(g.Reason == w.Reason, "Revoked.Reason", g.Reason, w.Reason)
		check(g.By == w.By, "Revoked.By", g.By, w.By)
		check(g.Until.IsZero(), "Revoked.Until", g.Until, time.Time{})
	default:
		check(g == w, "Revoked", g, w)
	}
	if len(wrong) > 0 {
		t.Fatalf("%s: %s", call, strings.Join(wrong, "; "))
	}
}

// sameTime reports whether a store may return got for want: to the microsecond.
func sameTime(got, want time.Time) bool {
	return got.IsZero() == want.IsZero() && got.Sub(want).Abs() < time.Microsecond
}
