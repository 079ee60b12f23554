package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The program measures every contender.
func TestThroughput(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv("REVOKE_REAL") != "1" {
		t.Skip("redis-server is not installed")
	}
	binary := filepath.Join(t.TempDir(), "throughput")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(binary, "-clients", "8", "-rounds", "1", "-for", "50ms").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range contenders {
		if n := strings.Count(string(out), c.name+"  "); n != 2 {
			t.Errorf("the tables have %q %d times, want 2:\n%s", c.name, n, out)
		}
	}
}
