package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCommandsExist shows that the folders and the tests are there that commands in the
// documents name.
func TestCommandsExist(t *testing.T) {
	var tests []string
	for _, names := range testsOfRepository(t) {
		tests = append(tests, names...)
	}
	found := 0
	for _, document := range documents(t) {
		for _, command := range regexp.MustCompile("(?:cd ([\\w/]+) && (?:npm ci && )?)?go (?:run|test) [^`\n]*").FindAllStringSubmatch(read(t, document), -1) {
			found++
			for _, folder := range regexp.MustCompile(`\s\./([\w/]+)`).FindAllStringSubmatch(command[0], -1) {
				if _, err := os.Stat(filepath.Join(root, command[1], folder[1])); err != nil {
					t.Errorf("%s: %s: %v", document, command[0], err)
				}
			}
			name := regexp.MustCompile(`-run '?\(?(\w*[a-z]\w*)`).FindStringSubmatch(command[0])
			if name != nil && !slices.ContainsFunc(tests, func(test string) bool { return strings.Contains(test, name[1]) }) {
				t.Errorf("%s: %s: there is no such test", document, command[0])
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands found", found)
	}
}

// TestBadges shows that what the badges tell is there.
func TestBadges(t *testing.T) {
	readme := read(t, "README.md")
	for badge, fact := range map[string][2]string{
		"actions/workflows/ci.yml/badge.svg":                     {".github/workflows/ci.yml", "name: ci\n"},
		"badge/license-MIT-":                                     {"LICENSE", "MIT License\n"},
		"github/go-mod/go-version/revoke-sessions/revoke":        {"go.mod", "\ngo 1."},
		"pkg.go.dev/badge/github.com/revoke-sessions/revoke.svg": {"go.mod", "module github.com/revoke-sessions/revoke\n"},
	} {
		if !strings.Contains(readme, badge) || !strings.Contains(read(t, fact[0]), fact[1]) {
			t.Errorf("the badge %s, or in %s %q, is missing", badge, fact[0], fact[1])
		}
	}
	if n := strings.Count(readme, "[!["); n != 4 {
		t.Errorf("%d badges", n)
	}
	_, version, _ := strings.Cut(read(t, "go.mod"), "\ngo ")
	version, _, _ = strings.Cut(version, "\n")
	if !strings.Contains(readme, "| Go | "+version+" or later |") {
		t.Errorf("README.md does not say Go %s", version)
	}
}

// TestREADMEIsShort holds the README to what one reads at a go.
func TestREADMEIsShort(t *testing.T) {
	if n := strings.Count(read(t, "README.md"), "\n"); n > 200 {
		t.Errorf("%d lines, more than 200", n)
	}
}
