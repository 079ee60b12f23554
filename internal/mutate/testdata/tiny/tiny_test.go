package tiny

import "testing"

func TestLast(t *testing.T) {
	if n, err := Last([]int{1, 2}); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, _ := Last(nil); n != 0 {
		t.Errorf("%d", n)
	}
}
