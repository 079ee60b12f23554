package docs_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/revoke-sessions/revoke/internal/exampletest"
)

// TestTranscripts runs the commands that a document shows against the example that it
// names, and compares what they print. A transcript is a block of indented lines: after
// "$ " a command, and below it what it prints. A line that is indented further goes on
// with the one before. Ids, times and the version of curl may be others; an id that
// comes twice must be the same one twice.
func TestTranscripts(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil && os.Getenv("REVOKE_REAL") == "" {
		t.Skip("there is no curl")
	}
	binary := exampletest.Build(t, "../examples/basic")
	found := 0
	for _, document := range documents(t) {
		steps := transcript(read(t, document))
		found += len(steps)
		if len(steps) > 0 {
			t.Run(document, func(t *testing.T) {
				address, _ := exampletest.Start(t, binary)
				replay(t, steps, strings.TrimPrefix(address, "http://"))
			})
		}
	}
	if found < 8 {
		t.Errorf("only %d commands found", found)
	}
}

// A step is a command, and what it prints.
type step struct{ command, output string }

// transcript returns the steps of a document.
func transcript(text string) (steps []step) {
	inside := false
	for line := range strings.Lines(text) {
		line, isIndented := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case !isIndented:
			inside = false
		case isCommand:
			steps, inside = append(steps, step{command: command}), true
		case inside:
			last := &steps[len(steps)-1]
			if rest := strings.TrimLeft(line, " "); rest != line {
				last.output = strings.TrimRight(last.output, "\n") + rest + "\n"
			} else {
				last.output += line + "\n"
			}
		}
	}
	return steps
}

// TestAnswersAreOfTranscripts shows that no document has an answer of the API that no
// command is above.
func TestAnswersAreOfTranscripts(t *testing.T) {
	for _, document := range documents(t) {
		text := read(t, document)
		shown := len(regexp.MustCompile("(?m)^    (?:\\{\"|HTTP/)").FindAllString(text, -1))
		for _, step := range transcript(text) {
			shown -= len(regexp.MustCompile("(?m)^(?:\\{\"|HTTP/)").FindAllString(step.output, -1))
		}
		if shown != 0 {
			t.Errorf("%s: %d answers without a command", document, shown)
		}
	}
}

var (
	timePattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|\d\d:\d\d:\d\d UTC`)
	curlPattern = regexp.MustCompile(`curl/[\d.]+`)
)

// replay runs the commands, and compares what they print.
func replay(t *testing.T, steps []step, address string) {
	dir := t.TempDir()
	ids := make(map[string]string) // of a document's id, the one that there is now
	for _, step := range steps {
		command := strings.ReplaceAll(step.command, "localhost:4000", address)
		command = mapIDs(command, func(id string) string { return ids[id] })
		shell := exec.Command("sh", "-ec", command)
		shell.Dir = dir
		out, err := shell.Output()
		if err != nil {
			t.Fatalf("%s: %v", step.command, err)
		}
		got := strings.ReplaceAll(strings.ReplaceAll(string(out), "\r", ""), address, "localhost:4000")
		var is []string
		mapIDs(got, func(id string) string { is = append(is, id); return id })
		mapIDs(step.output, func(was string) string {
			if len(is) == 0 {
				return was
			}
			if now, known := ids[was]; known && now != is[0] {
				t.Errorf("%s: another session than %s", step.command, was)
			}
			ids[was], is = is[0], is[1:]
			return was
		})
		if stable(got) != stable(step.output) {
			t.Errorf("%s\nprints\n%s\nand not\n%s", step.command, got, step.output)
		}
	}
}

// stable takes out of a text what is another in each run.
func stable(text string) string {
	text = mapIDs(text, func(string) string { return "<id>" })
	text = timePattern.ReplaceAllString(text, "<time>")
	return strings.TrimSpace(curlPattern.ReplaceAllString(text, "curl/<version>"))
}

// mapIDs replaces each id of a session in a text.
func mapIDs(text string, to func(id string) string) string {
	return regexp.MustCompile(`[\w-]+`).ReplaceAllStringFunc(text, func(word string) string {
		if len(word) != 22 {
			return word
		}
		return to(word)
	})
}
