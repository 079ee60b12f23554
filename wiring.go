package revoke

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
)

// Mistakes in how a program puts scs and revoke together. Each is answered with 500
// misconfigured, and one line in the log names it and the cure. None is answered as
// a failure of the store: to try again does not help.
var (
	errOutside       = fmt.Errorf("revoke: %w: LoadAndSave is around Track: remove it, as Track takes its place", ErrMisconfigured)
	errInside        = fmt.Errorf("revoke: %w: LoadAndSave is inside Track: remove it, as Track takes its place", ErrMisconfigured)
	errBeside        = fmt.Errorf("revoke: %w: LoadAndSave is left on a route: use Track there", ErrMisconfigured)
	errStoreReplaced = fmt.Errorf("revoke: %w: sm.Store was replaced after New: set it before", ErrMisconfigured)
	errNewTwice      = fmt.Errorf("revoke: %w: New was called twice over one sm.Store: make one Manager, and pass it on", ErrMisconfigured)
	errSettingsLate  = fmt.Errorf("revoke: %w: UserIDKey or the cookie's name was changed after the first request: set them before", ErrMisconfigured)
)

// settings are what must not change once sessions are kept by it.
type settings struct{ userIDKey, cookie string }

// checkSettings returns an error if another Manager has the same store of scs, or if the
// settings have changed since the first request.
func (m *Manager) checkSettings() error {
	_, isOverAnother := m.router.visitors.(*router)
	if last, ok := m.sm.Store.(*router); isOverAnother || ok && last != m.router {
		return errNewTwice
	}
	now := settings{m.UserIDKey, m.sm.Cookie.Name}
	switch first := m.first.Load(); {
	case first == nil:
		m.first.CompareAndSwap(nil, &settings{now.userIDKey, now.cookie})
	case *first != now:
		return errSettingsLate
	}
	return nil
}

// isCalledByLoadAndSave reports whether scs's own middleware is saving a session.
func isCalledByLoadAndSave() bool {
	var callers [16]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "github.com/alexedwards/scs/v2.") && strings.HasSuffix(frame.Function, ".commitAndWriteSessionCookie") {
			return true
		}
		if !more {
			return false
		}
	}
}

// refuseLoadAndSave refuses what scs's own middleware saves. In a tracked request the
// save step answers for it, so that nobody is signed in all the same.
func (m *Manager) refuseLoadAndSave(ctx context.Context) error {
	if s := m.request(ctx); s != nil {
		s.isWrong(errInside)
		return errInside
	}
	go m.logMistake(ctx, errBeside) // scs holds its lock, which a logger may want
	return errBeside
}

// misconfigured logs a mistake in the program, and returns the error for it.
func (m *Manager) misconfigured(ctx context.Context, mistake string) error {
	err := fmt.Errorf("revoke: %w: %s", ErrMisconfigured, mistake)
	m.logMistake(ctx, err)
	return err
}

// logMistake logs the first mistakes, and then one a minute: a client can repeat the
// request that shows one.
func (m *Manager) logMistake(ctx context.Context, err error) {
	due := false
	m.mistakes.Do(func() { due = true })
	if due {
		m.logger().ErrorContext(ctx, "revoke: misconfigured", slog.String("error.message", clean(err.Error())))
	}
}
