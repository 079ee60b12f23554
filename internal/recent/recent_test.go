package recent_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/revoke-sessions/revoke/internal/recent"
)

// count uses a key, and returns how often it was used while it was remembered.
func count(m *recent.Map[int], key string) (n int) {
	m.With(key, func(v *int) { *v++; n = *v })
	return n
}

func TestUsedLastIsRemembered(t *testing.T) {
	const size = 10
	for _, test := range []struct {
		between int // how many other keys are used in between
		want    int
	}{
		{0, 2},
		{size - 1, 2},
		{2 * size, 1},
	} {
		m := recent.New[int](size)
		count(m, "key")
		for i := range test.between {
			count(m, strconv.Itoa(i))
		}
		if got := count(m, "key"); got != test.want {
			t.Errorf("after %d other keys: count is %d, want %d", test.between, got, test.want)
		}
	}
}

func TestUseKeepsAKey(t *testing.T) {
	m := recent.New[int](10)
	for i := range 100 {
		if got := count(m, "key"); got != i+1 {
			t.Fatalf("use %d: count is %d", i+1, got)
		}
		for j := range 5 {
			count(m, strconv.Itoa(1000*i+j))
		}
	}
}

func TestKeysAreBounded(t *testing.T) {
	m := recent.New[int](10)
	for i := range 1000 {
		count(m, strconv.Itoa(i))
		if n := m.Len(); n > 20 {
			t.Fatalf("%d keys are remembered after %d", n, i+1)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	m := recent.New[int](1)
	var uses sync.WaitGroup
	for range 8 {
		uses.Go(func() {
			for range 100 {
				count(m, "key")
			}
		})
	}
	uses.Wait()
	if got := count(m, "key"); got != 801 {
		t.Errorf("count is %d, want 801", got)
	}
}
