package revoke_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/internal/testapp"
	"github.com/revoke-sessions/revoke/store"
)

func TestGoexitInTheHookEndsNoLaterEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m := revoke.New(testapp.NewSCS(), store.NewMemory())
		m.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		calls := 0
		m.OnEvent = func(revoke.Event) {
			calls++
			runtime.Goexit() // as FailNow of a test does
		}
		for range 3 {
			m.RevokeAll(t.Context(), "ann")
		}
		synctest.Wait()
		if calls != 3 || strings.Count(log.String(), "runtime.Goexit") != 3 {
			t.Errorf("%d calls, log %s", calls, log.String())
		}
	})
}

func TestAlarmIsNotLostAmongOtherEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := revoke.New(testapp.NewSCS(), store.NewMemory())
		block := make(chan struct{})
		var kinds []revoke.Kind
		m.OnEvent = func(e revoke.Event) {
			<-block
			kinds = append(kinds, e.Kind)
		}
		for i := range 2000 {
			m.RevokeAll(t.Context(), fmt.Sprint("user", i))
		}
		for range 6 {
			m.RevokeAll(t.Context(), "ann") // a burst
		}
		close(block)
		synctest.Wait()
		if i := slices.Index(kinds, revoke.Suspicious); i < 0 || i > 1 {
			t.Errorf("the alarm is event %d of %d, want it right after the one that was under way", i, len(kinds))
		}
	})
}

func TestFlushEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := revoke.New(testapp.NewSCS(), store.NewMemory())
		if err := m.FlushEvents(t.Context()); err != nil {
			t.Errorf("without OnEvent: %v", err)
		}
		var delivered atomic.Int32
		m.OnEvent = func(revoke.Event) {
			time.Sleep(time.Second)
			delivered.Add(1)
		}
		for range 3 {
			m.RevokeAll(t.Context(), "ann")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if err := m.FlushEvents(ctx); !errors.Is(err, context.DeadlineExceeded) || delivered.Load() != 1 {
			t.Errorf("out of time: %v, with %d events delivered", err, delivered.Load())
		}
		if err := m.FlushEvents(t.Context()); err != nil || delivered.Load() != 3 {
			t.Errorf("%v, with %d events delivered", err, delivered.Load())
		}
	})
}
