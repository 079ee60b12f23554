package revoke

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// userID returns whom the session's data names as signed in, or "".
func (m *Manager) userID(ctx context.Context) string { return formatUserID(m.sm.Get(ctx, m.UserIDKey)) }

// namesNobody reports whether the user ID is missing or zero, and not of a type
// that cannot be one.
func (m *Manager) namesNobody(ctx context.Context) bool {
	v := m.sm.Get(ctx, m.UserIDKey)
	return v == nil || reflect.ValueOf(v).IsZero()
}

func formatUserID(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int:
		return formatInteger(int64(v))
	case int64:
		return formatInteger(v)
	}
	rv := reflect.ValueOf(v)
	if (rv.Kind() == reflect.Pointer || rv.CanInt() || rv.CanUint()) && rv.IsZero() {
		return ""
	}
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	switch {
	case rv.CanInt():
		return formatInteger(rv.Int())
	case rv.CanUint():
		return strconv.FormatUint(rv.Uint(), 10)
	case rv.CanFloat() && rv.Float() == math.Trunc(rv.Float()) && math.Abs(rv.Float()) < 1<<53:
		return formatInteger(int64(rv.Float())) // what JSON makes of an integer
	case rv.Kind() == reflect.String:
		return rv.String()
	}
	return ""
}

// formatInteger takes zero for nobody: it is what scs's GetInt returns where
// there is no value, and must not become an account that all share.
func formatInteger(i int64) string {
	if i == 0 {
		return ""
	}
	return strconv.FormatInt(i, 10)
}
