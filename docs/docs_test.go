// Package docs_test holds the README and the documents to what the repository has.
package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/revoke-sessions/revoke"
	"github.com/revoke-sessions/revoke/store"
)

// root is the folder of the repository.
const root = ".."

// TestSnippetsAreCompiled shows that each piece of Go in the documents stands in a
// file that the compiler sees.
func TestSnippetsAreCompiled(t *testing.T) {
	var compiled strings.Builder
	for _, file := range goFiles(t) {
		compiled.WriteString(flatten(read(t, file)))
	}
	found := 0
	for _, document := range documents(t) {
		for _, snippet := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, document), -1) {
			found++
			if !strings.Contains(compiled.String(), flatten(snippet[1])) {
				t.Errorf("%s: no compiled file has:\n%s", document, snippet[1])
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d snippets found", found)
	}
}

// flatten takes the indentation out of a text.
func flatten(s string) string { return strings.Join(strings.Fields(s), " ") + " " }

// TestLinks follows each link within the repository, to its heading if it names one.
func TestLinks(t *testing.T) {
	for _, document := range documents(t) {
		for _, link := range regexp.MustCompile(`\]\(([^):]+)\)`).FindAllStringSubmatch(read(t, document), -1) {
			file, heading, _ := strings.Cut(link[1], "#")
			target := document
			if file != "" {
				target = path.Join(path.Dir(document), file)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: %v", document, err)
			} else if heading != "" && !slices.Contains(headings(read(t, target)), heading) {
				t.Errorf("%s: %s has no heading #%s", document, target, heading)
			}
		}
	}
}

// headings returns the names under which GitHub links to the headings of a document.
func headings(text string) (names []string) {
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// TestEachMistakeIsDocumented shows that docs/mistakes.md has each mistake that the
// program can name. What it says of them is tried in test/wiring.
func TestEachMistakeIsDocumented(t *testing.T) {
	document, n := read(t, "docs/mistakes.md"), 0
	said := regexp.MustCompile(`(?:revoke: %w: ([^"]+)", ErrMisconfigured|misconfigured\(\w+(?:\.Context\(\))?, (?:fmt\.Sprintf\()?"([^"]+))`)
	for _, file := range goFiles(t) {
		if path.Dir(file) != "." || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, mistake := range said.FindAllStringSubmatch(read(t, file), -1) {
			text := regexp.MustCompile(`%[qT]`).ReplaceAllString(mistake[1]+mistake[2], "…")
			text, _, _ = strings.Cut(text, "…")
			if text == "%s" { // in misconfigured itself
				continue
			}
			if n++; !isRow(document, text) {
				t.Errorf("docs/mistakes.md does not have %q", text)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d mistakes found", n)
	}
}

// isRow reports whether a row of a table begins as text does.
func isRow(document, text string) bool {
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`…]+)").FindAllStringSubmatch(document, -1) {
		if strings.HasPrefix(text, strings.TrimSpace(row[1])) {
			return true
		}
	}
	return false
}

// TestNamesAreDocumented shows that the documents have each name that clients and
// logs see.
func TestNamesAreDocumented(t *testing.T) {
	for _, c := range []struct{ what, file, pattern, document string }{
		{"problem code", "problem.go", `code\w+ += "(\w+)"`, "docs/http-api.md"},
		{"field of a problem", "problem.go", "json:\"(revoked_at|reason|max_age|count)", "docs/http-api.md"},
		{"field of a session", "session.go", "json:\"(\\w+)", "docs/http-api.md"},
		{"reason of a revocation", "event.go", `Reason\w+ += "(\w+)"`, "docs/http-api.md"},
		{"kind of event", "event.go", `Kind = "(\w+)"`, "docs/security.md"},
		{"reason of an alarm", "suspicion.go", `Reason\w+ += "(\w+)"`, "docs/security.md"},
	} {
		names := regexp.MustCompile(c.pattern).FindAllStringSubmatch(read(t, c.file), -1)
		if len(names) < 4 {
			t.Errorf("only %d names of a %s found", len(names), c.what)
		}
		text := read(t, c.document)
		for _, name := range names {
			if !strings.Contains(text, "`"+name[1]+"`") && !strings.Contains(text, `"`+name[1]+`":`) {
				t.Errorf("%s does not have the %s %s", c.document, c.what, name[1])
			}
		}
	}
}

// documents returns the names of all documents that a reader is led to.
func documents(t *testing.T) (names []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			names = append(names, filepath.ToSlash(strings.TrimPrefix(file, root+string(filepath.Separator))))
		}
	}
	return names
}

const standardsFile = "docs/asvs.md"

// asvs has the requirements of OWASP ASVS 5.0 that concern sessions.
var asvs = strings.Fields(`
	2.3.3 2.4.1
	3.3.1 3.3.2 3.3.3 3.3.4 3.4.1 3.5.1 3.5.2 3.5.3
	4.1.1 4.1.3 4.1.4 4.4.2 4.4.3 4.4.4
	6.3.5 6.3.7
	7.1.1 7.1.2 7.1.3 7.2.1 7.2.2 7.2.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5
	7.5.1 7.5.2 7.5.3 7.6.1 7.6.2
	8.2.2 8.3.2
	9.1.1 9.1.2 9.1.3 9.2.1 9.2.2 9.2.3 9.2.4
	10.4.5
	11.5.1
	14.2.1 14.2.7 14.3.1 14.3.2
	15.4.2
	16.2.1 16.2.2 16.2.5 16.3.2 16.3.3 16.3.4 16.4.1 16.5.1 16.5.2 16.5.3`)

// TestStandards shows that docs/asvs.md has each requirement once, and that the
// tests it names exist.
func TestStandards(t *testing.T) {
	var (
		tests   = testsOfRepository(t)
		named   = regexp.MustCompile("`(?:([\\w/]+)\\.)?((?:Test|Fuzz)\\w+)`")
		anyTest = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]`)
		ids     = make(map[string]int)
	)
	for line := range strings.Lines(read(t, standardsFile)) {
		matches := named.FindAllStringSubmatch(line, -1)
		for _, match := range matches {
			if !slices.Contains(tests[path.Clean(match[1])], match[2]) {
				t.Errorf("there is no test %s", match[0])
			}
		}
		if len(matches) != len(anyTest.FindAllString(line, -1)) {
			t.Errorf("a test is not named as `Test…` or `package.Test…`: %s", line)
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || strings.HasPrefix(cells[0], "---") || strings.TrimSpace(cells[0]) == "id" {
			continue
		}
		id, status := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[2])
		ids[id]++
		switch status {
		case "met", "setting":
			if len(matches) == 0 {
				t.Errorf("%s: no test shows it", id)
			}
		case "application", "not met":
		default:
			t.Errorf("%s: unknown status %q", id, status)
		}
	}
	for id, n := range ids {
		isASVS := regexp.MustCompile(`^[\d.]+$`).MatchString(id)
		if n != 1 || isASVS && !slices.Contains(asvs, id) {
			t.Errorf("%s appears %d times", id, n)
		}
	}
	for _, id := range asvs {
		if ids[id] == 0 {
			t.Errorf("%s is missing", id)
		}
	}
	for prefix, want := range map[string]int{"63B ": 18, "Session Management: ": 6, "Logging Vocabulary: ": 5, "WebSocket: ": 1} {
		n := 0
		for id := range ids {
			if strings.HasPrefix(id, prefix) {
				n++
			}
		}
		if n != want {
			t.Errorf("%d rows of %q, want %d", n, prefix, want)
		}
	}
}

// testsOfRepository returns the names of all tests by their folder.
func testsOfRepository(t *testing.T) map[string][]string {
	t.Helper()
	tests := make(map[string][]string)
	for _, file := range goFiles(t) {
		if !strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[path.Dir(file)] = append(tests[path.Dir(file)], f.Name.Name)
			}
		}
	}
	return tests
}

func TestDocumentedDefaults(t *testing.T) {
	text := read(t, standardsFile)
	sm := scs.New()
	m := revoke.New(sm, store.NewMemory())
	for name, value := range map[string]any{
		"sm.Lifetime":             sm.Lifetime,
		"sm.IdleTimeout":          sm.IdleTimeout,
		"sm.Cookie.Persist":       sm.Cookie.Persist,
		"Manager.TouchInterval":   m.TouchInterval,
		"Manager.MaxPerUser":      m.MaxPerUser,
		"store.TombstoneLifetime": store.TombstoneLifetime,
		"store.MaxTombstones":     store.MaxTombstones,
	} {
		if row := fmt.Sprintf("\n| `%s` | %v |\n", name, value); !strings.Contains(text, row) {
			t.Errorf("%s has no row %s", standardsFile, row)
		}
	}
}

// goFiles returns the names of all Go files of the repository, with slashes.
func goFiles(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (name == "node_modules" || name == "testdata" || strings.HasPrefix(name, ".") && name != root):
			return filepath.SkipDir
		case !entry.IsDir() && strings.HasSuffix(name, ".go"):
			name, err := filepath.Rel(root, file)
			if err != nil {
				return err
			}
			files = append(files, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// read returns the text of a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
