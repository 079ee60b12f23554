package main

import (
	"strings"
	"testing"
)

// TestSummarize shows what is printed of each kind of package.
func TestSummarize(t *testing.T) {
	for _, test := range []struct {
		name, in, want string
		failed         bool
	}{
		{name: "what passes is one line, and t.Run is not counted", in: `
{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: said\n"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`, want: "ok  \tp\t0.1s\n1 passed, 0 failed, 1 skipped\n"},
		{name: "of a package that fails, the tests that fail are shown", failed: true, in: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: right\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: wrong\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`, want: "    a_test.go:1: wrong\n--- FAIL: TestA (0.00s)\nFAIL\nFAIL\tp\t0.1s\n1 passed, 1 failed, 0 skipped\n"},
		{name: "a test that is cut short has failed", failed: true, in: `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out after 2s\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t2.0s\n"}
{"Action":"fail","Package":"p"}
`, want: "panic: test timed out after 2s\nFAIL\tp\t2.0s\n0 passed, 1 failed, 0 skipped\n"},
		{name: "a package that does not compile has failed", failed: true, in: `
{"Action":"build-output","ImportPath":"p","Output":"a.go:1:1: undefined: x\n"}
{"Action":"build-fail","ImportPath":"p"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p"}
`, want: "a.go:1:1: undefined: x\nFAIL\tp [build failed]\n0 passed, 1 failed, 0 skipped\n"},
		{name: "a package without tests is not counted", in: `
{"Action":"output","Package":"p","Output":"?   \tp\t[no test files]\n"}
{"Action":"skip","Package":"p"}
`, want: "?   \tp\t[no test files]\n0 passed, 0 failed, 0 skipped\n"},
		{name: "what ends before its packages do has failed", failed: true, in: `
{"Action":"start","Package":"p"}
`, want: "FAIL\tp has not ended\n0 passed, 1 failed, 0 skipped\n"},
		{name: "other lines are passed on", in: `
warning: no packages
`, want: "warning: no packages\n0 passed, 0 failed, 0 skipped\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			failed, err := summarize(strings.NewReader(strings.TrimPrefix(test.in, "\n")), &out)
			if err != nil || failed != test.failed || out.String() != test.want {
				t.Errorf("failed %v, error %v, printed:\n%swant:\n%s", failed, err, &out, test.want)
			}
		})
	}
}
