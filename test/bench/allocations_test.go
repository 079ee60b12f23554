package bench

import (
	"log/slog"
	"testing"
	"time"

	"github.com/revoke-sessions/revoke/internal/racedetector"
)

// What a request in memory allocates beyond the bare handler, so that it does not grow
// unnoticed. Each bound is two above what was counted.
func TestAllocations(t *testing.T) {
	if racedetector.On {
		t.Skip("the race detector allocates as well")
	}
	for _, test := range []struct {
		name    string
		idle    time.Duration
		request func(*contender) func()
		most    float64
	}{
		{"read", 0, (*contender).read, 26},
		{"read under an idle timeout", 20 * time.Minute, (*contender).read, 39},
		{"write", 0, (*contender).write, 44},
		{"sign-in", 0, signInNewUser, 50},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := allocations(t, kind{}, test.idle, test.request)[tracked]; got > test.most {
				t.Errorf("%v allocations, want %v or fewer", got, test.most)
			}
		})
	}
}

func signInNewUser(c *contender) func() { return c.signIn(newUsers(), nil) }

// allocations returns what each contender allocates beyond the bare handler.
func allocations(t testing.TB, k kind, idle time.Duration, request func(*contender) func()) map[string]float64 {
	withoutLog(t)
	of := map[string]float64{}
	for _, c := range contenders(k, idle) {
		of[c.name] = testing.AllocsPerRun(200, request(c))
	}
	for _, name := range []string{plainGob, plainCBOR, tracked} {
		of[name] -= of[bare]
	}
	return of
}

// withoutLog drops the audit log, which has a line for each sign-in.
func withoutLog(t testing.TB) {
	log := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(log) })
}
