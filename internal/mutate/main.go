//go:build unix

// Command mutate shows what the tests would not notice. It makes one change at a
// time to the source of a package, runs the tests, and prints each change that
// they let through:
//
//	go run ./internal/mutate -n 40 -seed 1 ./store ./store/... .
//
// changes ./store, and runs the tests of ./store/... and then those of the root.
// With a package alone it runs that package's own tests. It changes no file: the
// go command is told to read another one in its place.
//
// Not every survivor is a gap. Some changes alter nothing that can be seen.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	var s sample
	flag.IntVar(&s.size, "n", 40, "how many changes to try")
	flag.Uint64Var(&s.seed, "seed", 1, "which changes: the same seed tries the same ones")
	flag.DurationVar(&s.timeout, "timeout", 3*time.Minute, "how long the tests of one change may take; longer counts as found")
	flag.Parse()
	if s.pkg = flag.Arg(0); s.pkg == "" {
		s.pkg = "."
	}
	if s.tests = []string{s.pkg}; flag.NArg() > 1 {
		s.tests = flag.Args()[1:]
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := s.run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// A sample is a random choice of the changes to a package.
type sample struct {
	pkg     string
	tests   []string // packages, whose tests run in this order
	size    int
	seed    uint64
	timeout time.Duration
}

// run tries the sample and writes what survived.
func (s sample) run(ctx context.Context, out io.Writer) error {
	mutants, err := mutantsOf(s.pkg)
	if err != nil {
		return err
	}
	if !s.pass(ctx, "", os.Stderr) {
		return errors.New("the tests fail before anything is changed")
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	rand.New(rand.NewPCG(s.seed, 0)).Shuffle(len(mutants), func(i, j int) { mutants[i], mutants[j] = mutants[j], mutants[i] })
	tried, survived := 0, 0
	for _, m := range mutants {
		if tried == s.size {
			break
		}
		overlay, err := m.overlay(dir)
		if err != nil {
			return err
		}
		if !command(ctx, nil, "build", overlay, s.pkg) {
			continue // a change that the compiler finds
		}
		tried++
		if s.pass(ctx, overlay, nil) {
			survived++
			fmt.Fprintln(out, m)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	fmt.Fprintf(out, "%d of %d changes tried: the tests found %d, and %d survived\n", tried, len(mutants), tried-survived, survived)
	return nil
}

// pass reports whether all tests pass. Short, since a change costs one run.
func (s sample) pass(ctx context.Context, overlay string, output io.Writer) bool {
	for _, tests := range s.tests {
		if !command(ctx, output, "test", overlay, "-short", "-failfast", "-vet=off", "-timeout", s.timeout.String(), tests) {
			return false
		}
	}
	return true
}

// command reports whether the go command succeeds.
func command(ctx context.Context, output io.Writer, verb, overlay string, args ...string) bool {
	cmd := exec.CommandContext(ctx, "go", append([]string{verb, "-overlay=" + overlay}, args...)...)
	cmd.Stdout, cmd.Stderr = output, output
	// A test that is cut short leaves its servers behind: they are in the group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	kill := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = kill
	if err := cmd.Start(); err != nil {
		return false
	}
	defer kill()
	return cmd.Wait() == nil
}

// mutantsOf returns the changes to the files of a package.
func mutantsOf(pkg string) ([]mutant, error) {
	list, err := exec.Command("go", "list", "-f", `{{$dir := .Dir}}{{range .GoFiles}}{{$dir}}/{{.}}{{"\n"}}{{end}}`, pkg).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", pkg, err)
	}
	var mutants []mutant
	for _, file := range strings.Fields(string(list)) {
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		found, err := mutate(file, source)
		if err != nil {
			return nil, err
		}
		mutants = append(mutants, found...)
	}
	return mutants, nil
}

// overlay writes the changed file, and what tells the go command to read it.
func (m mutant) overlay(dir string) (string, error) {
	changed := filepath.Join(dir, "changed.go")
	if err := os.WriteFile(changed, m.changed(), 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{m.file: changed}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, replace, 0o600)
}
