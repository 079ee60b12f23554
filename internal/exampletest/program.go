// Package exampletest runs an example as a user does: it builds the program, starts it,
// and visits it with a browser.
package exampletest

import (
	"bufio"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Build compiles the program in a folder.
func Build(t testing.TB, dir string) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), filepath.Base(dir))
	cmd := exec.Command("go", "build", "-o", binary, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// Start runs a program until stop, at the latest until the test ends, and returns the
// address that it prints.
func Start(t testing.TB, binary string, args ...string) (address string, stop func()) {
	t.Helper()
	address, _, stop = StartLogged(t, io.Discard, binary, args...)
	return address, stop
}

// StartLogged also returns what the program prints after its address, and writes the
// program's log to a writer.
func StartLogged(t testing.TB, log io.Writer, binary string, args ...string) (address, printed string, stop func()) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"-listen", "127.0.0.1:0"}, args...)...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait() })
	t.Cleanup(stop)
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "Listening on ")
	if err != nil || !ok {
		t.Fatalf("printed %q, %v", line, err)
	}
	rest, _ := r.Peek(r.Buffered()) // an example prints once
	printed = string(rest)
	go io.Copy(io.Discard, out)
	return address, printed, stop
}
