package revoke

import (
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// userID returns whom the session's data names as signed in, or "".
func (m *Manager) userID(ctx context.Context) string {
	if m.UserID == nil || m.request(ctx).hasNoData() {
		id, _ := formatUserID(m.sm.Get(ctx, m.UserIDKey))
		return id
	}
	return m.UserID(func(key string) any { return m.sm.Get(ctx, key) })
}

// hasNoData reports whether the request is in a session whose data is not at hand.
func (s *request) hasNoData() bool { return s != nil && s.membership().by == byAuthenticated }

// idOf returns whom decoded data names as signed in, or "".
func (m *Manager) idOf(values map[string]any) string {
	if m.UserID == nil {
		id, _ := formatUserID(values[m.UserIDKey])
		return id
	}
	return m.UserID(func(key string) any { return values[key] })
}

// checkedUserID is userID, with an error if the session's data has a user ID of a type
// that cannot be one: nobody would track the session.
func (m *Manager) checkedUserID(ctx context.Context) (string, error) {
	if m.UserID != nil {
		return m.userID(ctx), nil
	}
	v := m.sm.Get(ctx, m.UserIDKey)
	id, ok := formatUserID(v)
	if !ok {
		return "", fmt.Errorf("revoke: %w: the value under %q is a %T; a user ID is a string, an integer, bytes or a fmt.Stringer, or set Manager.UserID", ErrMisconfigured, m.UserIDKey, v)
	}
	return id, nil
}

// formatUserID returns the text of a user ID, "" for nobody, and reports whether it
// is of a type that can be one. The zero value of any type is nobody: it is what
// scs's GetInt returns if there is no value, and must not become an account that all
// share.
func formatUserID(v any) (id string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	rv := reflect.ValueOf(v)
	if rv.IsZero() {
		return "", true
	}
	if s, ok := v.(fmt.Stringer); ok {
		return s.String(), true
	}
	switch {
	case rv.CanInt():
		return strconv.FormatInt(rv.Int(), 10), true
	case rv.CanUint():
		return strconv.FormatUint(rv.Uint(), 10), true
	case rv.CanFloat() && rv.Float() == math.Trunc(rv.Float()) && math.Abs(rv.Float()) < 1<<53:
		return strconv.FormatInt(int64(rv.Float()), 10), true // what JSON makes of an integer
	case rv.Kind() == reflect.String:
		return rv.String(), true
	case rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() == reflect.Uint8:
		return string(rv.Bytes()), true
	case rv.Kind() == reflect.Array && rv.Type().Elem().Kind() == reflect.Uint8:
		b := make([]byte, rv.Len())
		reflect.Copy(reflect.ValueOf(b), rv)
		return hex.EncodeToString(b), true
	}
	return "", false
}
