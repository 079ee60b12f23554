package store

import (
	"errors"
	"testing"
	"time"
	"unsafe"
)

// TestLeaseClocks shows what a machine does with its leases that was asleep, whose clock
// was set, or that was paused from outside so that both of its clocks stood still. The
// last says yes too late: that is the limit that Lease names.
func TestLeaseClocks(t *testing.T) {
	const d = 10 * time.Millisecond
	started := time.Now()
	for _, test := range []struct {
		name string
		goes func() time.Time // what the machine's clocks show when it goes on
		late bool             // it says yes
	}{
		{"asleep: the wall clock was put right", func() time.Time { return resumed(started, 0, 3600) }, false},
		{"the wall clock was set back", func() time.Time { return resumed(started, d/2, -3600) }, false},
		{"stopped as a process: both clocks went on", time.Now, false},
		{"paused from outside: both clocks stood still", func() time.Time { return started }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			memory := NewMemory()
			r := Record{User: "ann", ID: "1", CreatedAt: started, ExpiresAt: started.Add(2 * time.Hour)}
			if _, err := memory.Create(t.Context(), r, Limit{}); err != nil {
				t.Fatal(err)
			}
			a, b := Lease(memory, d), Lease(memory, d)
			started = time.Now()
			b.now = func() time.Time { return started }
			if _, err := b.Live(t.Context(), "ann", "1"); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Revoke(t.Context(), "ann", "1", Revocation{}); err != nil {
				t.Fatal(err)
			}
			b.now = test.goes
			if _, err := b.Live(t.Context(), "ann", "1"); errors.Is(err, ErrRevoked) == test.late {
				t.Errorf("after the answer: %v", err)
			}
		})
	}
}

// resumed returns what clocks show of which the monotonic one has gone on by one duration
// and the wall clock by another, in seconds. Package time does not make such a time.
func resumed(t time.Time, monotonic time.Duration, wall int64) time.Time {
	parts := (*struct {
		wall uint64 // a bit, 33 bits of seconds, 30 bits of nanoseconds
		ext  int64  // the monotonic clock, in nanoseconds
		loc  *time.Location
	})(unsafe.Pointer(&t))
	parts.wall += uint64(wall) << 30
	parts.ext += int64(monotonic)
	return t
}

func TestResumed(t *testing.T) {
	before := time.Now()
	after := resumed(before, time.Second, 3600)
	if after.Sub(before) != time.Second || after.Round(0).Sub(before.Round(0)) != time.Hour {
		t.Errorf("monotonic %v, wall %v", after.Sub(before), after.Round(0).Sub(before.Round(0)))
	}
}
